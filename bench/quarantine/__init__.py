"""What the quarantine holds, rightly and wrongly."""
