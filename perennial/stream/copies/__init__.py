"""Copies, near copies and retellings in a stream: which of its texts tell the same story."""

from perennial.stream.copies.finder import CopyFinder, CopyMark

__all__ = ["CopyFinder", "CopyMark"]
