"""Where live texts and answers that were logged are kept: each place looked through, and cleared of forgotten ones."""
