"""Every kind of source that documents may be fetched from."""

from collections.abc import Mapping

from gyre_ingestor.sources.folder import FOLDER
from gyre_ingestor.sources.git import GIT
from gyre_ingestor.sources.imap import IMAP
from gyre_ingestor.sources.mbox import MBOX
from gyre_ingestor.sources.object_store import OBJECT_STORE
from gyre_ingestor.sources.source import SourceKind
from gyre_ingestor.sources.web import WEB

KINDS: Mapping[str, SourceKind] = {
    "folder": FOLDER,
    "web": WEB,
    "object-store": OBJECT_STORE,
    "git": GIT,
    "imap": IMAP,
    "mbox": MBOX,
}
"""By name."""
