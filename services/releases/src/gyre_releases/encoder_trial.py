"""An encoder is tried where it will serve before it goes live."""

import asyncio
from typing import Protocol

from gyre_common.errors import LOADING, DeadlineExceeded, FailedPrecondition, Unavailable

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0
_LOADING_SECONDS = 60.0


class EncoderProbe(Protocol):
    """Asks whoever serves encoders for one vector."""

    async def encode(self, role: str, version: str) -> None:
        """Return once a vector of that version has come.

        Raises:
            FailedPrecondition: the version is not known there (yet), or cannot be loaded.
            Unavailable, DeadlineExceeded: nobody answers, or not in time.
        """


async def try_encoder(encoders: EncoderProbe, role: str, version: str, *, patience: float) -> None:
    """Return once the version has encoded something.

    A refusal is asked about again for `patience` seconds: news of a version that was registered a
    moment ago may still be on its way. One that is being loaded there is waited for longer.

    Raises:
        FailedPrecondition: it is refused, with the reason.
        Unavailable: nobody is there to try it.
    """
    clock = asyncio.get_running_loop().time
    until, pause = clock() + patience, _FIRST_PAUSE
    while True:
        try:
            return await encoders.encode(role, version)
        except FailedPrecondition as error:
            longest = until + _LOADING_SECONDS if error.code == LOADING else until
            if clock() + pause > longest:
                raise FailedPrecondition(
                    f"the embedder cannot serve {role} {version}, so what is live stays: {error}"
                ) from error
        except (Unavailable, DeadlineExceeded) as error:
            raise Unavailable(
                f"the embedder could not try {role} {version}, so what is live stays: {error}"
            ) from error
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
