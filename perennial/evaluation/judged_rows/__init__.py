"""What is known of the rows that models are judged on, before any model is asked."""
