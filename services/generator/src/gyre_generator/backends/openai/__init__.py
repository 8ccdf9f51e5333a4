"""Any server that speaks OpenAI's chat completions: vLLM, TGI, Ollama, hosted ones."""
