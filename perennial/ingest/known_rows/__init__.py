"""Rows that were read before: their ids, splits and times, without holding them all."""
