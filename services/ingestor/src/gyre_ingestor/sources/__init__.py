"""Every kind of source that documents may be fetched from."""

from collections.abc import Mapping

from gyre_ingestor.sources.folder import FOLDER
from gyre_ingestor.sources.source import SourceKind

KINDS: Mapping[str, SourceKind] = {
    "folder": FOLDER,
}
"""By name."""
