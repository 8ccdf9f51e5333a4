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

from gyre_trainer.data_sets.joining import Family, InteractionWithFeedback
from gyre_trainer.segments.facts import Shown

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
_SURE = 30.0
"""Log odds from which on nothing is surer: the exponential of much larger ones overflows."""
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
    """The probability that a passage is good, by what was said of it for the same question.

    `wrong` is the estimated share of wrong votes, `compared` the votes that it rests on: those on
    passages that several actors voted on for the same question.
    """

    good: dict[Subject, float] = field(default_factory=dict)
    wrong: float = _WRONG
    compared: int = 0

    def of(self, example: InteractionWithFeedback, chunk_id: str) -> float | None:
        """None where nobody said anything of the passage."""
        return self.good.get(_subject(example, chunk_id))


def beliefs(examples: Iterable[InteractionWithFeedback]) -> Beliefs:
    """Estimated by expectation maximisation, the same for the same examples in any order."""
    voices = _voices(examples)
    if not voices:
        return Beliefs()
    model = _VoiceModel(sorted(voices, key=lambda voice: (voice.subject, voice.actor)))
    good, wrong = model.estimate()
    return Beliefs(
        good=dict(zip(model.subjects, good.round(4).tolist(), strict=True)),
        wrong=round(wrong, 4),
        compared=model.compared,
    )


@dataclass
class _Voice:
    """All that one actor said of a subject; means where it was said more than once."""

    subject: Subject
    actor: str
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


def _voices(examples: Iterable[InteractionWithFeedback]) -> list[_Voice]:
    voices: dict[tuple[Subject, str], _Voice] = {}
    for example in examples:
        for shown in example.interaction.shown:
            subject = _subject(example, shown.chunk_id)
            for opinion in example.opinions_on(shown):
                new_voice = _Voice(subject, opinion.actor, _bucket(shown))
                voice = voices.setdefault((subject, opinion.actor), new_voice)
                voice.bucket = min(voice.bucket, new_voice.bucket)
                if opinion.family is Family.VOTE:
                    voice.votes.append(opinion.sign)
                elif opinion.target == ANSWER_TARGET:
                    voice.verdicts.append(opinion.sign)
                else:
                    voice.signalled = True
    return list(voices.values())


def _bucket(shown: Shown) -> int:
    return _EXPLORED if shown.explored else min(shown.rank, _DEEPEST)


class _VoiceModel:
    """The voices as arrays, and what is estimated from them."""

    def __init__(self, voices: Sequence[_Voice]) -> None:
        self.subjects = list(dict.fromkeys(voice.subject for voice in voices))
        place = {subject: at for at, subject in enumerate(self.subjects)}
        self._of: Places = np.array([place[voice.subject] for voice in voices])
        self._kind: Places = np.array([voice.kind for voice in voices])
        self._vote: Floats = np.array([_mean(voice.votes) for voice in voices])
        self._verdict: Floats = np.array(
            [0.0 if voice.votes else _mean(voice.verdicts) for voice in voices]
        )
        self._bucket: Places = np.full(len(place), _EXPLORED)
        np.minimum.at(self._bucket, self._of, [voice.bucket for voice in voices])
        voted = self._vote != 0
        self._in_company = voted & (self._sum(voted) > 1)[self._of]
        self.compared = int(self._in_company.sum())

    def estimate(self) -> tuple[Floats, float]:
        """Each subject's probability of being good, and the share of wrong votes."""
        most = self._most_wrong(self._vote)
        expected = min(_WRONG, most / 2)
        wrong = expected
        wrong_verdict = min(_WRONG_VERDICT, self._most_wrong(self._verdict))
        good_rates = np.full(_BUCKETS, 0.5)
        kind_shares = _PRIOR_KIND_SHARES.copy()
        good: Floats = np.full(len(self.subjects), 0.5)
        for _ in range(_ROUNDS):
            evidence = self._vote * _logit(1 - wrong) + self._verdict * _logit(1 - wrong_verdict)
            evidence = evidence + np.log(kind_shares[1] / kind_shares[0])[self._kind]
            good = _logistic(_logit(good_rates)[self._bucket] + self._sum(evidence))
            wrong = min(most, self._wrong_votes(good, expected))
            good_rates = self._good_rates(good)
            kind_shares = self._kind_shares(good)
        return good, wrong

    def _sum(self, of_voices: NDArray[np.generic]) -> Floats:
        sums = np.bincount(self._of, weights=of_voices, minlength=len(self.subjects))
        return sums.astype(np.float64)

    def _most_wrong(self, signs: Floats) -> float:
        """If errors are as likely either way, no rank has fewer votes up, or down, than errors."""
        ups, votes = (
            np.bincount(self._bucket[self._of], weights=each, minlength=_BUCKETS)
            for each in (np.maximum(signs, 0), np.abs(signs))
        )
        rarer = (np.minimum(ups, votes - ups) + 1) / (votes + 2)
        at_most = rarer + _UPPER * np.sqrt(rarer * (1 - rarer) / (votes + 2))
        return float(np.clip(at_most.min(), _LEAST, _MOST))

    def _errors(self, signs: Floats, good: Floats) -> Floats:
        likely = good[self._of]
        return np.abs(signs) * np.where(signs < 0, likely, 1 - likely)

    def _wrong_votes(self, good: Floats, expected: float) -> float:
        errors = self._errors(self._vote, good)[self._in_company].sum()
        votes = np.abs(self._vote)[self._in_company].sum()
        return float((errors + _LIKE_VOTES * expected) / (votes + _LIKE_VOTES))

    def _good_rates(self, good: Floats) -> Floats:
        goods, subjects = (
            np.bincount(self._bucket, weights=each, minlength=_BUCKETS)
            for each in (good, np.ones_like(good))
        )
        overall = (good.sum() + _LIKE_SUBJECTS / 2) / (len(good) + _LIKE_SUBJECTS)
        shares: Floats = (goods + _LIKE_SUBJECTS * overall) / (subjects + _LIKE_SUBJECTS)
        return np.clip(shares, _LEAST, 1 - _LEAST)

    def _kind_shares(self, good: Floats) -> Floats:
        counts = np.array(
            [
                np.bincount(
                    self._kind, weights=each[self._of], minlength=len(_PRIOR_KIND_SHARES[0])
                )
                for each in (1 - good, good)
            ]
        )
        counts = counts + _LIKE_VOICES * _PRIOR_KIND_SHARES
        shares: Floats = counts / counts.sum(axis=1, keepdims=True)
        return shares


def _mean(signs: Sequence[int]) -> float:
    return sum(signs) / len(signs) if signs else 0.0


def _logit(probability: float | Floats) -> Floats:
    log_odds: Floats = np.log(probability / (1 - np.asarray(probability)))
    return log_odds


def _logistic(log_odds: Floats) -> Floats:
    probability: Floats = 1 / (1 + np.exp(-np.clip(log_odds, -_SURE, _SURE)))
    return probability
