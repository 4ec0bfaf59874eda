"""The flow that looks at a live stream, and what it is joined from."""
