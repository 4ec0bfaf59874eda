"""pipeline.yaml as a file: found, read with every problem's line, and changed in place."""
