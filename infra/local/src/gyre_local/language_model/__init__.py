"""Language models behind OpenAI's HTTP protocol; see README.md."""
