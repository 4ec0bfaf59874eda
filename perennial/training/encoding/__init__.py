"""From the rows of checked parts to token ids in files that training maps into memory."""
