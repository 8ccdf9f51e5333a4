"""The `gyre` command."""
