"""Training runs: what is known of them, and how one goes from verb to verb."""
