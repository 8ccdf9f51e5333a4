"""Every metric of Gyre, in one typed list, so that names and labels are settled in one place."""

from functools import partial

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
        counter = partial(Counter, registry=registry)
        gauge = partial(Gauge, registry=registry)
        histogram = partial(Histogram, registry=registry, buckets=_SECONDS)

        self.ready = gauge("gyre_ready", "1 while the named check holds.", ["check"])

        # Delivery: what the bus consumes and publishes
        topic_group = ["topic", "group"]
        self.records_consumed = counter(
            "gyre_records_consumed_total", "Records read from a topic.", topic_group
        )
        self.records_handled = counter(
            "gyre_records_handled_total", "Records whose handler finished.", topic_group
        )
        self.records_parked = counter(
            "gyre_records_parked_total",
            "Records moved to the dead letters.",
            [*topic_group, "cause"],
        )
        self.dead_letters_waiting = gauge(
            "gyre_dead_letters_waiting",
            "Dead letters that nobody has replayed or dropped.",
            ["topic"],
        )
        self.dead_letter_age_seconds = gauge(
            "gyre_dead_letter_age_seconds",
            "Age of the oldest dead letter that waits; 0 while none does.",
            ["topic"],
        )
        self.records_retried = counter(
            "gyre_records_retried_total",
            "Attempts that failed and will be made again.",
            topic_group,
        )
        self.records_in_flight = gauge(
            "gyre_records_in_flight", "Records read and not yet finished.", topic_group
        )
        self.record_handle_seconds = histogram(
            "gyre_record_handle_seconds", "Time in the handler, an attempt.", topic_group
        )
        self.consumer_lag = gauge(
            "gyre_consumer_lag_records", "Records behind the end of the topic.", topic_group
        )
        self.consumer_problem = gauge(
            "gyre_consumer_problem",
            "1 while a consumer stands still, fails to fetch, holds a partition or a tenant, or a "
            "handler of it is stuck.",
            topic_group,
        )
        self.consumer_stalled_seconds = gauge(
            "gyre_consumer_stalled_seconds",
            "Since when the oldest record that was read is not finished; 0 while records go by.",
            topic_group,
        )
        self.partition_held_offset = gauge(
            "gyre_partition_held_offset",
            "Offset at which a partition is held; missing while it goes on.",
            [*topic_group, "partition"],
        )
        self.tenants_held = gauge(
            "gyre_tenants_held",
            "Tenants whose records wait until somebody decides, while those of others go on.",
            topic_group,
        )
        self.records_published = counter(
            "gyre_records_published_total", "Events confirmed by Kafka.", ["topic"]
        )
        self.record_publish_seconds = histogram(
            "gyre_record_publish_seconds", "Publish to confirmation.", ["topic"]
        )

        # HTTP
        self.http_requests = counter(
            "gyre_http_requests_total", "Requests answered.", ["method", "route", "status"]
        )
        self.http_seconds = histogram(
            "gyre_http_seconds", "Time to answer a request, its stream included.", ["route"]
        )

        # RPC
        self.rpc_handled = counter("gyre_rpc_handled_total", "Calls answered.", ["method", "code"])
        self.rpc_handle_seconds = histogram(
            "gyre_rpc_handle_seconds", "Time to answer a call.", ["method"]
        )
        self.rpc_in_flight = gauge("gyre_rpc_in_flight", "Calls being answered.", ["method"])
        self.rpc_calls = counter(
            "gyre_rpc_calls_total", "Calls made to other services.", ["method", "code"]
        )
        self.rpc_call_seconds = histogram(
            "gyre_rpc_call_seconds", "Time waited for another service.", ["method"]
        )

        self.stage_seconds = histogram(
            "gyre_stage_seconds", "Time in a stage of a service's work.", ["service", "stage"]
        )
        self.batch_size = histogram(
            "gyre_batch_size", "Items a batch, by what is batched.", ["batch"], buckets=_SIZES
        )
        self.documents = counter(
            "gyre_documents_total", "Documents by what became of them.", ["service", "result"]
        )
        self.screening_findings = counter(
            "gyre_screening_findings_total",
            "Places in documents that somebody should look at.",
            ["kind"],
        )
        self.content_deleted = counter(
            "gyre_content_deleted_total", "Files of the store that no document named any more."
        )
        self.content_deleted_bytes = counter("gyre_content_deleted_bytes_total", "Their bytes.")
        self.document_freshness_seconds = histogram(
            "gyre_document_freshness_seconds",
            "Submitted to searchable.",
            buckets=(0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 300, 3600),
        )
        self.texts_encoded = counter(
            "gyre_texts_encoded_total", "Texts turned into vectors.", ["side"]
        )
        self.calls_in_turns = gauge(
            "gyre_calls_in_turns", "Calls whose work goes by turns, by kind of work.", ["work"]
        )
        self.models_held = gauge("gyre_models_held", "Models in memory, by digest.", [])
        self.model_loads = counter(
            "gyre_model_loads_total", "Models loaded, and those that could not be.", ["result"]
        )
        self.answers = counter("gyre_answers_total", "Answers by outcome.", ["outcome"])
        self.answer_tokens = counter(
            "gyre_answer_tokens_total", "Tokens read and written.", ["direction"]
        )
        self.fallbacks = counter(
            "gyre_fallbacks_total",
            "Times a service did less than it was asked.",
            ["service", "reason"],
        )
        self.feedback = counter("gyre_feedback_total", "Feedback by kind.", ["kind"])
        self.rows_inserted = counter(
            "gyre_rows_inserted_total", "Rows written to ClickHouse.", ["table"]
        )
        self.release_generation = gauge(
            "gyre_release_generation", "Generation of a role as this process sees it.", ["role"]
        )


def _process_metrics() -> Metrics:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return Metrics(registry)


METRICS = _process_metrics()
