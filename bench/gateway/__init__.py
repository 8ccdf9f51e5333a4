"""What the HTTP edge costs, beside a bare FastAPI application and LiteLLM's proxy."""
