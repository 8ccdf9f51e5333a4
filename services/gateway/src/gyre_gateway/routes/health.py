"""GET /healthz, /readyz, /metrics: for probes and for Prometheus, beside the port of metrics."""

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from gyre_common.telemetry.metrics import METRICS
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

router = APIRouter(tags=["operations"])


@router.get("/healthz", summary="Whether it is alive", response_class=PlainTextResponse)
@router.get("/readyz", summary="Whether it answers", response_class=PlainTextResponse)
async def healthz() -> PlainTextResponse:
    """What is away behind it shows in the replies of those who need it, and in /v1/status."""
    return PlainTextResponse("ok\n")


@router.get("/metrics", summary="Prometheus metrics", response_class=PlainTextResponse)
async def metrics() -> Response:
    """Of this process."""
    return Response(generate_latest(METRICS.registry), media_type=CONTENT_TYPE_LATEST)
