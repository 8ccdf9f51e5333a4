"""The commands; those that share their words share a file."""
