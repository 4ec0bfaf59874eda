"""What the gates will be able to decide, said before anything is trained."""
