"""Which words moved an answer: measured by leaving words out and asking the package again, with what serving takes."""
