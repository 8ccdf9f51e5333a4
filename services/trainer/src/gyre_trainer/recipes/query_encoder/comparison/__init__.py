"""The gate: whether a candidate may replace what is live. Pure; it knows no broker and no RPC."""
