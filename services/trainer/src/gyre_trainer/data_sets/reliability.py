"""How far words can be trusted: estimated from all of them together, without knowing the truth.

A latent class model (Dawid and Skene 1979, Applied Statistics 28(1)): a passage is good for a
question or it is not, and a vote on it is wrong with one probability, whoever gives it: an error of
each actor's own would let one who votes most outvote the others. How often what is spoken of at a
rank is good takes the place of a classifier of the question (Raykar et al. 2010, JMLR 11): a vote
up is right less often on passages that seldom fit (trust bias: Agarwal et al. 2019,
doi:10.1145/3308558.3313697), and just those weigh most by inverse propensity.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
from gyre_common.events.feedback import ANSWER_TARGET
from gyre_common.lines import folded
from numpy.typing import NDArray
from scipy.special import expit, logit

from gyre_trainer.data_sets.joining import Family, InteractionWithFeedback

_ROUNDS = 50
_DEEPEST = 10
_EXPLORED = _DEEPEST + 1
_BUCKETS = _EXPLORED + 1

_WRONG, _WRONG_VERDICT = 0.05, 0.25
"""Shares of votes, and of verdicts on an answer taken for its passages, that are thought wrong
before anything tells.
"""
_LIKE_VOTES = 20.0
"""So many votes weigh as much as what is thought before."""
_LIKE_SUBJECTS = 4.0
_LIKE_VOICES = 5.0
_LEAST, _MOST = 0.005, 0.5
"""Nobody is taken to be surely right, or to mean the opposite."""
_UPPER = NormalDist().inv_cdf(0.95)

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

_VOTE, _SIGNAL, _BOTH, _VERDICT = range(4)
_PRIOR_KIND_SHARES = np.array([[0.8, 0.05, 0.05, 0.1], [0.5, 0.2, 0.2, 0.1]])
"""How people speak of bad passages, and of good ones, before anything tells: by a vote, a click,
both, or a verdict on the answer.
"""

Subject = tuple[str, str, str]
"""Tenant, question, passage."""


@dataclass(frozen=True)
class Beliefs:
    """`good` is the probability that a passage is good for a question, `wrong` the estimated share
    of wrong votes, `compared` how many it rests on: on passages that several actors voted on.
    """

    good: dict[Subject, float] = field(default_factory=dict)
    wrong: float = _WRONG
    compared: int = 0

    def of(self, example: InteractionWithFeedback, chunk_id: str) -> float | None:
        """None where nobody said anything of the passage."""
        return self.good.get(_subject(example, chunk_id))


def beliefs(examples: Iterable[InteractionWithFeedback]) -> Beliefs:
    """Estimated by expectation maximisation, the same for the same examples in any order."""
    by_subject_and_actor = _voices(examples)
    if not by_subject_and_actor:
        return Beliefs()
    voices = by_subject_and_actor.values()
    subjects = list(dict.fromkeys(subject for subject, _ in by_subject_and_actor))
    place = {subject: at for at, subject in enumerate(subjects)}
    of: Places = np.array([place[subject] for subject, _ in by_subject_and_actor])
    kind: Places = np.array([voice.kind for voice in voices])
    vote: Floats = np.array([_mean(voice.votes) for voice in voices])
    verdict: Floats = np.array([0.0 if v.votes else _mean(v.verdicts) for v in voices])
    bucket: Places = np.full(len(subjects), _EXPLORED)
    np.minimum.at(bucket, of, [voice.bucket for voice in voices])
    in_company = (vote != 0) & (_sums(of, vote != 0, len(subjects)) > 1)[of]

    most = _most_wrong(vote, bucket[of])
    wrong = min(most, _wrong_by_disagreement(of, vote, expected=min(_WRONG, most / 2)))
    wrong_verdict = min(_WRONG_VERDICT, _most_wrong(verdict, bucket[of]))
    good_rates: Floats = np.full(_BUCKETS, 0.5)
    kind_shares = _PRIOR_KIND_SHARES
    in_bucket = _sums(bucket, np.ones(len(subjects)), _BUCKETS)
    for _ in range(_ROUNDS):
        evidence = vote * logit(1 - wrong) + verdict * logit(1 - wrong_verdict)
        evidence = evidence + np.log(kind_shares[1] / kind_shares[0])[kind]
        good = expit(logit(good_rates)[bucket] + _sums(of, evidence, len(subjects)))

        overall = (good.sum() + _LIKE_SUBJECTS / 2) / (len(good) + _LIKE_SUBJECTS)
        goods = _sums(bucket, good, _BUCKETS) + _LIKE_SUBJECTS * overall
        good_rates = np.clip(goods / (in_bucket + _LIKE_SUBJECTS), _LEAST, 1 - _LEAST)
        kinds = len(_PRIOR_KIND_SHARES[0])
        counts = np.array([_sums(kind, each[of], kinds) for each in (1 - good, good)])
        counts = counts + _LIKE_VOICES * _PRIOR_KIND_SHARES
        kind_shares = counts / counts.sum(axis=1, keepdims=True)
    return Beliefs(
        good=dict(zip(subjects, good.round(4).tolist(), strict=True)),
        wrong=round(wrong, 4),
        compared=int(in_company.sum()),
    )


@dataclass
class _Voice:
    """All that one actor said of a subject; means where it was said more than once."""

    bucket: int
    votes: list[int] = field(default_factory=list)
    verdicts: list[int] = field(default_factory=list)
    signalled: bool = False

    @property
    def kind(self) -> int:
        if self.votes:
            return _BOTH if self.signalled else _VOTE
        return _SIGNAL if self.signalled else _VERDICT


def _subject(example: InteractionWithFeedback, chunk_id: str) -> Subject:
    return (example.interaction.tenant, folded(example.interaction.searched), chunk_id)


def _voices(examples: Iterable[InteractionWithFeedback]) -> dict[tuple[Subject, str], _Voice]:
    voices: dict[tuple[Subject, str], _Voice] = {}
    for example in examples:
        for shown in example.interaction.shown:
            subject = _subject(example, shown.chunk_id)
            bucket = _EXPLORED if shown.explored else min(shown.rank, _DEEPEST)
            for opinion in example.opinions_on(shown):
                voice = voices.setdefault((subject, opinion.actor), _Voice(bucket))
                voice.bucket = min(voice.bucket, bucket)
                if opinion.family is Family.VOTE:
                    voice.votes.append(opinion.sign)
                elif opinion.target == ANSWER_TARGET:
                    voice.verdicts.append(opinion.sign)
                else:
                    voice.signalled = True
    return {key: voices[key] for key in sorted(voices)}


def _sums(places: Places, values: NDArray[np.generic], count: int) -> Floats:
    return np.bincount(places, weights=values, minlength=count).astype(np.float64)


def _wrong_by_disagreement(of: Places, vote: Floats, *, expected: float) -> float:
    """The share of wrong votes: two on one subject, each wrong with probability p, differ with
    probability 2p(1 - p), whatever is true of it. So the estimate hangs on no guess of what is
    good, as one by maximisation would: with some hundred votes that can end in another maximum.
    """
    count = int(of.max()) + 1
    voters = _sums(of, vote != 0, count)
    squares = _sums(of, vote**2, count)
    # Every vote counts once, in however many pairs it is.
    share = 1 / (2 * np.maximum(voters - 1, 1))
    pairs = float(((_sums(of, np.abs(vote), count) ** 2 - squares) * share).sum())
    agreement = float(((_sums(of, vote, count) ** 2 - squares) * share).sum())
    differing = (pairs - agreement) / 2 + _LIKE_VOTES * expected * (1 - expected)
    differ = differing / (pairs + _LIKE_VOTES / 2)
    return float(np.clip((1 - np.sqrt(max(0.0, 1 - 2 * differ))) / 2, _LEAST, _MOST))


def _most_wrong(signs: Floats, bucket: Places) -> float:
    """If errors are as likely either way, no rank has fewer votes up, or down, than errors."""
    ups, votes = _sums(bucket, np.maximum(signs, 0), _BUCKETS), _sums(bucket, abs(signs), _BUCKETS)
    rarer = (np.minimum(ups, votes - ups) + 1) / (votes + 2)
    at_most = rarer + _UPPER * np.sqrt(rarer * (1 - rarer) / (votes + 2))
    return float(np.clip(at_most.min(), _LEAST, _MOST))


def _mean(signs: Sequence[int]) -> float:
    return sum(signs) / len(signs) if signs else 0.0
