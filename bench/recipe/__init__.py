"""What settings of a recipe are worth, cross-validated on a run that is there."""
