"""The ClickHouse schema and the sink that fills it."""
