"""The engines that Gyre stands on, each as a process that the supervisor can run."""

from gyre_local.engines.clickhouse import ClickHouseEngine
from gyre_local.engines.elasticsearch import ElasticsearchEngine
from gyre_local.engines.engine import Engine
from gyre_local.engines.kafka import KafkaEngine

ENGINES: dict[str, type[Engine]] = {
    engine.name: engine for engine in (KafkaEngine, ElasticsearchEngine, ClickHouseEngine)
}

__all__ = ["ENGINES", "ClickHouseEngine", "ElasticsearchEngine", "Engine", "KafkaEngine"]
