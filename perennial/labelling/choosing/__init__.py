"""Which live texts are worth a label: the least sure, the most novel, and some by chance."""
