"""Names and labels of metrics follow one rule."""

from gyre_common.telemetry import METRICS, Metrics
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics import MetricWrapperBase

IDS = {"id", "tenant", "document", "document_id", "interaction", "conversation", "key", "offset"}


def metrics_of(metrics: Metrics) -> list[MetricWrapperBase]:
    return [value for value in vars(metrics).values() if isinstance(value, MetricWrapperBase)]


def test_every_metric_is_named_after_what_it_counts() -> None:
    for metric in metrics_of(METRICS):
        described = next(iter(metric.describe()))
        assert described.name.startswith("gyre_")
        assert described.documentation.endswith(".")
        if isinstance(metric, Histogram):
            assert described.name.endswith(("_seconds", "_size"))
        if isinstance(metric, Counter):
            assert not described.name.endswith("_seconds")


def test_no_label_holds_an_id() -> None:
    for metric in metrics_of(METRICS):
        assert IDS.isdisjoint(metric._labelnames), metric


def test_a_test_can_have_metrics_of_its_own() -> None:
    mine = Metrics(CollectorRegistry())
    mine.answers.labels("answered").inc()
    labels = {"outcome": "answered"}
    assert mine.registry.get_sample_value("gyre_answers_total", labels) == 1
