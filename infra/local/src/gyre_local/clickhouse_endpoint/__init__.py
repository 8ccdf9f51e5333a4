"""ClickHouse's HTTP interface over chdb, the real engine in this process."""
