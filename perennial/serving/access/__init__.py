"""Who may ask a server, for what, and how much: API keys, limits, TLS and the headers of answers."""
