"""What the rows of what happened cost, and what they withstand."""
