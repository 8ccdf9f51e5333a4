"""Every figure that Gyre claims, printed beside its floor and its peers."""
