"""The HTTP server: the champion's predictor behind POST /predict, and always the champion of now."""
