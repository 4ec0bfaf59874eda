"""One module a format: each reads a file that a tool wrote as opinions."""
