"""What may become live, and where that is written."""
