"""What benchmarks share: rows, turns, commands, the machine."""
