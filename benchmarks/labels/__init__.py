"""What labels bring, and which of them."""
