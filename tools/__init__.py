"""What builds the project and its reference pages."""
