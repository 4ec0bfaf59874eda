"""What a metric is: figures from targets and answers, and the simple models to beat."""
