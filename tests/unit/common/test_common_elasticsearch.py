"""What Elasticsearch says becomes one of Gyre's failures."""

import pytest
from gyre_common.elasticsearch import IndexMissing, WritesBlocked, error_of
from gyre_common.errors import GyreError, Poison, Unavailable


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (404, "index_not_found_exception", IndexMissing),
        (403, "cluster_block_exception", WritesBlocked),
        (429, "cluster_block_exception", WritesBlocked),
        (503, "cluster_block_exception", Unavailable),
        (403, "security_exception", Unavailable),
        (429, "es_rejected_execution_exception", Unavailable),
        (500, "i_o_exception", Unavailable),
        (503, "no_shard_available_action_exception", Unavailable),
        (400, "document_parsing_exception", Poison),
    ],
)
def test_only_what_the_request_itself_is_to_blame_for_is_poison(
    status: int, kind: str, error: type[GyreError]
) -> None:
    assert type(error_of(status, kind)) is error
