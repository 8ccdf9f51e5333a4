"""The HTTP edge in OpenAI's shape, and the web console."""
