"""Which version of every role serves whom."""

from gyre_common.releases.view import Arm, ReleaseView, Resolved

__all__ = ["Arm", "ReleaseView", "Resolved"]
