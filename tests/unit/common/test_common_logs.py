"""A log line is one JSON object with the ids of the request it belongs to."""

import json
import logging
from collections.abc import Iterator

import pytest
from gyre_common.context import RequestContext, use_context
from gyre_common.telemetry.logs import start_logging
from gyre_common.telemetry.tracing import (
    current_trace_id,
    current_traceparent,
    start_tracing,
    trace_from,
    tracer,
)

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_fields_stand_beside_the_message(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("tea", "INFO")
    logging.getLogger("gyre_tea").info("document indexed", extra={"chunks": 3})
    logging.getLogger("gyre_tea").debug("not shown")
    [line] = lines(capsys)
    assert line["message"] == "document indexed"
    assert (line["level"], line["service"], line["logger"]) == ("INFO", "tea", "gyre_tea")
    assert line["chunks"] == 3
    assert str(line["time"]).endswith("+00:00")


def test_a_traceback_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("tea", "INFO")
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        logging.getLogger("gyre_tea").exception("crashed")
    [line] = lines(capsys)
    assert "ValueError" in str(line["exc_info"])


def test_a_line_names_the_trace_and_the_tenant(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("tea", "INFO")
    start_tracing("tea")
    parent = trace_from({"traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01"})
    with (
        tracer.start_as_current_span("brew", context=parent),
        use_context(RequestContext(tenant="acme")),
    ):
        logging.getLogger("gyre_tea").info("brewed")
        assert current_trace_id() == TRACE_ID
        assert (current_traceparent() or "").startswith(f"00-{TRACE_ID}-")
    [line] = lines(capsys)
    assert (line["trace_id"], line["tenant"]) == (TRACE_ID, "acme")


@pytest.mark.parametrize(
    "header", ["", "nonsense", "00-0-0-0", f"00-{'0' * 32}-00f067aa0ba902b7-01"]
)
def test_a_malformed_traceparent_starts_a_new_trace(header: str) -> None:
    start_tracing("tea")
    with tracer.start_as_current_span("brew", context=trace_from({"traceparent": header})):
        assert current_trace_id() not in (None, "0" * 32)
