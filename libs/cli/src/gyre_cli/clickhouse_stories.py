"""Reads everything that is known of one answer from ClickHouse."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError
from gyre_common.errors import GyreError, Unavailable

from gyre_cli.output import Json
from gyre_cli.settings import CliSettings

Row = dict[str, Json]

_INTERACTION = """
SELECT tenant, interaction_id, conversation_id, trace_id, started_at, time AS completed_at,
    question, history, acl, answer, outcome, error, citations, prompt, prompt_version, versions,
    arms, fallbacks, guardrails, prompt_tokens, completion_tokens, tokens_estimated, cost_usd,
    latency_ms
FROM gyre.interactions FINAL
WHERE tenant = {tenant:String} AND interaction_id = {id:UUID}
"""
_RETRIEVED = """
SELECT rank, chunk_id, document_id, revision, title, source_uri, heading_path, text, score, scores,
    used, explored, propensity
FROM gyre.retrieved_chunks FINAL
WHERE tenant = {tenant:String} AND interaction_id = {id:UUID}
ORDER BY rank
"""
_VERDICTS = """
SELECT judge_version, metric, value, rationale, time AS judged_at
FROM gyre.judgements FINAL
WHERE tenant = {tenant:String} AND interaction_id = {id:UUID}
ORDER BY time, metric
"""
_FEEDBACK = """
SELECT feedback_id, time AS received_at, kind, value, target, comment, actor
FROM gyre.feedback FINAL
WHERE tenant = {tenant:String} AND interaction_id = {id:UUID}
ORDER BY time
"""


class Stories:
    """Opened by `open_stories`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def story(self, tenant: str, interaction_id: UUID) -> Row | None:
        """Everything that has landed by now; None while the interaction itself has not."""
        which = {"tenant": tenant, "id": interaction_id}
        found = self._rows(_INTERACTION, which)
        if not found:
            return None
        return {
            **found[0],
            "retrieved": self._rows(_RETRIEVED, which),
            "verdicts": self._rows(_VERDICTS, which),
            "feedback": self._rows(_FEEDBACK, which),
        }

    def _rows(self, query: str, parameters: dict[str, Any]) -> list[Row]:
        result = self._client.query(query, parameters=parameters)
        return [_plain(row) for row in result.named_results()]


@contextmanager
def open_stories(settings: CliSettings) -> Iterator[Stories]:
    """Raises Unavailable when ClickHouse does not answer, GyreError when it refuses."""
    url = urlsplit(settings.clickhouse_url)
    try:
        client = clickhouse_connect.get_client(
            interface=url.scheme,
            host=url.hostname,
            port=url.port or (8443 if url.scheme == "https" else 8123),
            username=settings.clickhouse_analyst,
            password=settings.clickhouse_analyst_password.get_secret_value(),
            connect_timeout=5,
            send_receive_timeout=30,
        )
        try:
            yield Stories(client)
        finally:
            client.close()
    except OperationalError as error:
        raise Unavailable(
            f"ClickHouse at {settings.clickhouse_url} does not answer: start the system with "
            "`gyre up`, or set GYRE_CLICKHOUSE_URL"
        ) from error
    except ClickHouseError as error:
        raise GyreError(f"ClickHouse at {settings.clickhouse_url} refused: {error}") from error


def _plain(row: dict[str, Any]) -> Row:
    """Ids and times as text, so that a program reads the same as a person."""
    plain: Row = json.loads(json.dumps(row, default=_text))
    return plain


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
