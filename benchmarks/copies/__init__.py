"""Copies, near copies and retellings in a made-up stream of headlines: how many are joined, and how many wrongly."""
