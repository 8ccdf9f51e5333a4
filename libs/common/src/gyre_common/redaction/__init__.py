"""The one way by which text enters index, facts, telemetry and data sets."""

from gyre_common.redaction.events import redact, redacted, redaction_of, text_fields
from gyre_common.redaction.texts import RedactedText

__all__ = ["RedactedText", "redact", "redacted", "redaction_of", "text_fields"]
