"""Reading passages without a model: which sentences answer a question, and whether any does."""
