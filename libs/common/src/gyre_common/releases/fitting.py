"""Which versions serve together: one rule for those who release, resolve and search. Pure.

An index holds the vectors of one document encoder, and a query encoder names the one that it fits.
A document encoder whose index was filled anew `fits` the one whose vectors it has.
Weights are fitted to the scores of a query encoder, and a version of `retrieval` may name that one.
A generator may name the version of the answer prompt that it was made for. A version that names
none goes with any. A generator that gives the best of several answers names the judge's version
that tells which: it is asked by name, so it need be known, and not live.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from gyre_common.events.event import Version
from gyre_common.events.releases import Artifact, ReleaseChanged, Roles
from gyre_common.reward_input import METHOD

FITTED_ROLES = (Roles.DOCUMENT_ENCODER, Roles.QUERY_ENCODER, Roles.RETRIEVAL)


def fits(artifact: Artifact, version: Version) -> bool:
    """Whether it goes with that version of the role that it is fitted to."""
    return artifact.fits in (None, version)


def vectors_of(document_encoder: Artifact) -> Version:
    """The document encoder, as query encoders name it, whose vectors are in its index."""
    return document_encoder.fits or document_encoder.version


def fit_together(
    candidates: Mapping[Roles, Sequence[Artifact]], *, settled: Collection[Version] = ()
) -> dict[Roles, Artifact]:
    """The first candidates of each role that fit each other; where none fit, the first ones.

    The order of query encoders counts more than that of document encoders. Beside a query encoder
    that is among `settled` weights are taken in their order; beside another one, those fitted to it
    come first.
    """
    documents, queries, weights = (candidates.get(role, ()) for role in FITTED_ROLES)
    pairs = ((q, d) for q in queries for d in documents if fits(q, vectors_of(d)))
    if pair := next(pairs, None):
        queries, documents = pair[:1], pair[1:]
    if queries:
        encoder = queries[0].version
        fitting = [each for each in weights if fits(each, encoder)]
        if encoder not in settled:
            fitting.sort(key=lambda each: each.fits is None)
        weights = fitting or weights
    by_role = zip(FITTED_ROLES, (documents, queries, weights), strict=True)
    return {role: artifacts[0] for role, artifacts in by_role if artifacts}


def fit_generator_and_prompt(
    generators: Iterable[Artifact], prompts: Sequence[Version]
) -> tuple[Artifact, Version] | None:
    """The first generator that goes with one of the prompts, and the first that it goes with; None
    where none does. A prompt is known by name alone: another tenant's, or one not here (yet).
    """
    pairs = ((g, p) for g in generators for p in prompts if prompt_of(g) in (None, p))
    return next(pairs, None)


def prompt_of(generator: Artifact) -> Version | None:
    """The version of the answer prompt that it was made for; None where any will do."""
    return generator.settings.get("prompt")


def reward_of(generator: Artifact) -> Version | None:
    """The judge's version that chooses among its answers; None where it writes one answer."""
    writes_one = generator.settings.get("best_of", "1") == "1"
    return None if writes_one else generator.settings.get("reward")


def gives_rewards(judge: Artifact) -> bool:
    """Whether that version of the judge can choose among answers."""
    return judge.settings.get("method") == METHOD


def by_recency(state: ReleaseChanged) -> Iterator[Artifact]:
    """The live version, those that were live before, then the others, the newest first."""
    order = (state.live, *state.history, *(each.version for each in reversed(state.artifacts)))
    artifacts = (state.artifact(version) for version in dict.fromkeys(order))
    return (artifact for artifact in artifacts if artifact is not None)
