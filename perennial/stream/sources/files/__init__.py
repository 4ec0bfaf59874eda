"""Files as a live stream: they grow, are rotated, and new ones come."""
