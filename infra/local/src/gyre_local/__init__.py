"""Kafka, Elasticsearch and ClickHouse on one machine, without containers, and the supervisor."""
