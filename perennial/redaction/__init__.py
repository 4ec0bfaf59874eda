"""Personal data taken out of texts before they are stored."""
