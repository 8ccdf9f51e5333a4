"""The way from a question to an answer: a step a file, each a function over `AnswerProgress`."""
