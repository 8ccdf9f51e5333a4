"""Logs are events with fields: one JSON object a line on standard error."""

import logging
import sys

from pythonjsonlogger.json import JsonFormatter

from gyre_common.context import request_context
from gyre_common.telemetry.tracing import current_trace_id

_QUIET = ("aiokafka", "kafka", "faststream", "elastic_transport", "httpx2", "grpc", "asyncio")


def start_logging(service: str, level: str) -> None:
    """Send everything logged in this process to standard error as JSON. May be called again."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter(
            "{levelname}{name}{message}",
            style="{",
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp="time",
            static_fields={"service": service},
        )
    )
    handler.addFilter(_add_context)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for library in _QUIET:
        logging.getLogger(library).setLevel(logging.WARNING)


def _add_context(record: logging.LogRecord) -> bool:
    if trace_id := current_trace_id():
        record.trace_id = trace_id
        if not hasattr(record, "tenant"):
            record.tenant = request_context().tenant
    return True
