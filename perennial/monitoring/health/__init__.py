"""How well the champion does on live texts."""
