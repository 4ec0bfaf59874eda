"""What a network carries while it is trained: attached before its optimizer is built, folded in before it is saved."""
