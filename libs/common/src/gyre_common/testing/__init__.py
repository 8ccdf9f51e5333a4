"""What the fakes of several services share."""
