"""Every metric of Gyre, in one typed list, so that names and labels are settled in one place."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)


class Metrics:
    """The metrics of one process. Labels hold topics, groups, methods and codes; never ids."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry

        # Readiness
        self.ready = Gauge(
            "gyre_ready", "1 while the named check holds.", ["check"], registry=registry
        )

        # Delivery: what the bus consumes and publishes
        topic_group = ["topic", "group"]
        self.records_consumed = Counter(
            "gyre_records_consumed_total",
            "Records read from a topic.",
            topic_group,
            registry=registry,
        )
        self.records_handled = Counter(
            "gyre_records_handled_total",
            "Records whose handler finished.",
            topic_group,
            registry=registry,
        )
        self.records_parked = Counter(
            "gyre_records_parked_total",
            "Records moved to the dead letters.",
            [*topic_group, "cause"],
            registry=registry,
        )
        self.records_retried = Counter(
            "gyre_records_retried_total",
            "Attempts that failed and will be made again.",
            topic_group,
            registry=registry,
        )
        self.records_in_flight = Gauge(
            "gyre_records_in_flight",
            "Records read and not yet finished.",
            topic_group,
            registry=registry,
        )
        self.record_handle_seconds = Histogram(
            "gyre_record_handle_seconds",
            "Time in the handler, an attempt.",
            topic_group,
            buckets=_SECONDS,
            registry=registry,
        )
        self.consumer_lag = Gauge(
            "gyre_consumer_lag_records",
            "Records behind the end of the topic.",
            topic_group,
            registry=registry,
        )
        self.consumer_problem = Gauge(
            "gyre_consumer_problem",
            "1 while a consumer stands still, fails to fetch, or holds a partition.",
            topic_group,
            registry=registry,
        )
        self.partition_held_offset = Gauge(
            "gyre_partition_held_offset",
            "Offset at which a partition is held; missing while it goes on.",
            [*topic_group, "partition"],
            registry=registry,
        )
        self.records_published = Counter(
            "gyre_records_published_total",
            "Events confirmed by Kafka.",
            ["topic"],
            registry=registry,
        )
        self.record_publish_seconds = Histogram(
            "gyre_record_publish_seconds",
            "Publish to confirmation.",
            ["topic"],
            buckets=_SECONDS,
            registry=registry,
        )

        # RPC
        self.rpc_handled = Counter(
            "gyre_rpc_handled_total", "Calls answered.", ["method", "code"], registry=registry
        )
        self.rpc_handle_seconds = Histogram(
            "gyre_rpc_handle_seconds",
            "Time to answer a call.",
            ["method"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.rpc_in_flight = Gauge(
            "gyre_rpc_in_flight", "Calls being answered.", ["method"], registry=registry
        )
        self.rpc_calls = Counter(
            "gyre_rpc_calls_total",
            "Calls made to other services.",
            ["method", "code"],
            registry=registry,
        )
        self.rpc_call_seconds = Histogram(
            "gyre_rpc_call_seconds",
            "Time waited for another service.",
            ["method"],
            buckets=_SECONDS,
            registry=registry,
        )

        # Work
        self.stage_seconds = Histogram(
            "gyre_stage_seconds",
            "Time in a stage of a service's work.",
            ["service", "stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.batch_size = Histogram(
            "gyre_batch_size",
            "Items a batch, by what is batched.",
            ["batch"],
            buckets=_SIZES,
            registry=registry,
        )
        self.documents = Counter(
            "gyre_documents_total",
            "Documents by what became of them.",
            ["service", "result"],
            registry=registry,
        )
        self.document_freshness_seconds = Histogram(
            "gyre_document_freshness_seconds",
            "Submitted to searchable.",
            [],
            buckets=(0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 300, 3600),
            registry=registry,
        )
        self.texts_encoded = Counter(
            "gyre_texts_encoded_total", "Texts turned into vectors.", ["side"], registry=registry
        )
        self.models_held = Gauge(
            "gyre_models_held", "Models in memory, by digest.", [], registry=registry
        )
        self.model_loads = Counter(
            "gyre_model_loads_total",
            "Models loaded, and those that could not be.",
            ["result"],
            registry=registry,
        )
        self.answers = Counter(
            "gyre_answers_total", "Answers by outcome.", ["outcome"], registry=registry
        )
        self.answer_tokens = Counter(
            "gyre_answer_tokens_total",
            "Tokens read and written.",
            ["direction"],
            registry=registry,
        )
        self.fallbacks = Counter(
            "gyre_fallbacks_total",
            "Times a service did less than it was asked.",
            ["service", "reason"],
            registry=registry,
        )
        self.feedback = Counter(
            "gyre_feedback_total", "Feedback by kind.", ["kind"], registry=registry
        )
        self.rows_inserted = Counter(
            "gyre_rows_inserted_total",
            "Rows written to ClickHouse.",
            ["table"],
            registry=registry,
        )
        self.release_generation = Gauge(
            "gyre_release_generation",
            "Generation of a role as this process sees it.",
            ["role"],
            registry=registry,
        )


def _process_metrics() -> Metrics:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return Metrics(registry)


METRICS = _process_metrics()
