"""Who tries versions for the release controller, in tests."""

from gyre_common.events.releases import Roles
from gyre_releases.version_trial import Probes, VersionProbe


def encoder_probes(probe: VersionProbe) -> Probes:
    """As the service is wired for encoders."""
    return dict.fromkeys((Roles.DOCUMENT_ENCODER, Roles.QUERY_ENCODER), probe)
