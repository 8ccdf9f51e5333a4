"""Whether an answer's sentences are supported, and whether there is an answer to give."""
