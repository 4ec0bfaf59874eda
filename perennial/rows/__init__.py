"""What a row is: its cells, columns and split, whatever the source and the kind of task."""
