"""What can be asked, one file for each place: its routes."""
