"""Which version of every role serves whom."""

from gyre_common.events.releases import Arm
from gyre_common.releases.view import ReleaseView, Resolved

__all__ = ["Arm", "ReleaseView", "Resolved"]
