"""How the index holds the head records of documents."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from gyre_common.chunk_index import ENGLISH

_KEYWORD = {"type": "keyword"}
_NOT_INDEXED = {"type": "object", "enabled": False}

DOCUMENTS_MAPPING: Mapping[str, Any] = MappingProxyType(
    {
        "dynamic": "strict",
        "properties": {
            "tenant": _KEYWORD,
            "document_id": _KEYWORD,
            "state": _KEYWORD,
            "title": {"type": "text", "analyzer": ENGLISH},
            "media_type": _KEYWORD,
            "source_uri": {"type": "keyword", "ignore_above": 4096},
            "metadata": _NOT_INDEXED,
            "acl": _KEYWORD,
            "revision": {"type": "long"},
            "content_digest": _KEYWORD,
            "chunk_count": {"type": "integer"},
            "encoded_count": {"type": "integer"},
            "index": _KEYWORD,
            "encoder_version": _KEYWORD,
            "timeline": _NOT_INDEXED,
        },
    }
)
