"""Logs, traces and metrics of a service."""

from gyre_common.telemetry.metrics import METRICS, Metrics
from gyre_common.telemetry.tracing import tracer

__all__ = ["METRICS", "Metrics", "tracer"]
