"""The interface as an OpenAPI document, of what is served now."""
