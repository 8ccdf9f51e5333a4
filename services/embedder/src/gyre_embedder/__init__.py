"""Text encoders and the search index."""
