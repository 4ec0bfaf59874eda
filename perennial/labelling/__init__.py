"""From live texts to labels: which are worth labelling, and the page and terminal where people do it."""
