"""RSS and Atom feeds as a live stream."""
