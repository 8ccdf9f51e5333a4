"""Languages of documents: how well they are told, and what their analyzers are worth."""
