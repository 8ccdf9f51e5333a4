"""What a reward model is, and which ones this process has: what the releases name, and one more."""

import asyncio
import math
from collections.abc import Iterable, Iterator, Sequence
from time import monotonic
from typing import Any, NoReturn, Protocol, Self

from gyre_common.errors import FailedPrecondition
from gyre_common.events.releases import Artifact, ReleaseChanged, Roles
from gyre_common.held import Held, ModelSource
from gyre_common.releases import ReleaseView
from gyre_common.releases.fitting import gives_rewards, reward_of


class RewardModel(Protocol):
    """Tells how good an answer is. The same texts give the same number."""

    async def reward(self, question: str, passages: Sequence[str], answer: str) -> float:
        """Any number, the higher the likelier people prefer the answer: over another to the same
        question with probability σ(difference). An answer without words declines.

        Raises FailedPrecondition: question and answer are too long for it (code
        `CONTEXT_TOO_LONG`), or it cannot be run.
        """

    def close(self) -> None:
        """Give back its memory: nothing is judged any more. May block."""


class Rewards:
    """Holds what the releases name (live, canary, shadow, the version before), and at most one more
    that somebody asked for; how, says `Held`.
    """

    def __init__(
        self, source: ModelSource[RewardModel], releases: ReleaseView, *, most_bytes: int
    ) -> None:
        self._releases = releases
        self._held = Held(source, _try_out, most_bytes=most_bytes, clock=monotonic)

    async def __aenter__(self) -> Self:
        await self._held.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> None:
        await self._held.__aexit__(*exc)

    async def follow_releases(self) -> NoReturn:
        """Hold what the releases name, now and after each change."""
        changed = asyncio.Event()
        self._releases.on_change(lambda _: changed.set())
        while True:
            await self._held.hold(list(_released_artifacts(self._releases.states)))
            await changed.wait()
            changed.clear()

    async def of(
        self,
        artifact: Artifact,
        question: str,
        passages: Sequence[str],
        answer: str,
        *,
        within: float | None = None,
    ) -> float:
        """The reward of an answer; waits at most `within` seconds for the model. Raises
        FailedPrecondition as `RewardModel` and `Held.use` do.
        """
        async with self._held.use(artifact, within=within) as model:
            return await model.reward(question, passages, answer)


async def _try_out(_: Artifact, model: RewardModel) -> None:
    reward = await model.reward("Is it there?", ["It is there."], "It is.")
    if not math.isfinite(reward):
        raise FailedPrecondition(f"it gives {reward} for an answer, which is no reward")


def _released_artifacts(states: Iterable[ReleaseChanged]) -> Iterator[Artifact]:
    """Live ones first, then those that live generators choose by, candidates, and those before."""
    states = list(states)
    own = [state for state in states if state.role == Roles.JUDGE]
    versions = [(state, state.live) for state in own]
    generators = [state.artifact(state.live) for state in states if state.role == Roles.GENERATOR]
    choosing = [reward_of(generator) for generator in generators if generator]
    versions += [(state, version) for state in own for version in choosing if version]
    versions += [(state, state.canary.version) for state in own if state.canary]
    versions += [(state, state.shadow) for state in own if state.shadow]
    versions += [(state, version) for state in own for version in state.history[:1]]
    for state, version in versions:
        artifact = state.artifact(version)
        if artifact is not None and gives_rewards(artifact):
            yield artifact
