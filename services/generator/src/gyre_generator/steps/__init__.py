"""The way from a question to an answer: one step a file, each a function over `AnswerProgress`."""
