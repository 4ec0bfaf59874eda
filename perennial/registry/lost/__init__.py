"""Databases that were there and are gone."""
