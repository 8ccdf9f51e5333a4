"""The demonstration of the loop: a generated corpus, a simulated crowd, and what it was worth."""
