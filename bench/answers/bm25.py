"""BM25 over a few hundred passages, to lay out pools as a search would."""

import math
from collections import Counter
from collections.abc import Sequence


class BM25:
    """Robertson and Zaragoza 2009, equation 3.15, k1 = 1.2, b = 0.75."""

    def __init__(self, documents: Sequence[Sequence[str]]) -> None:
        self._counts = [Counter(d) for d in documents]
        self._lengths = [len(d) for d in documents]
        self._mean = sum(self._lengths) / len(documents)
        self._df = Counter(term for d in documents for term in set(d))

    def best(self, query: Sequence[str], size: int) -> list[tuple[int, float]]:
        scored = [(i, self._score(query, i)) for i in range(len(self._counts))]
        return sorted(scored, key=lambda pair: -pair[1])[:size]

    def _score(self, query: Sequence[str], i: int) -> float:
        total = 0.0
        n = len(self._counts)
        for term in query:
            tf = self._counts[i][term]
            if tf:
                idf = math.log(1 + (n - self._df[term] + 0.5) / (self._df[term] + 0.5))
                norm = 1.2 * (0.25 + 0.75 * self._lengths[i] / self._mean)
                total += idf * tf * 2.2 / (tf + norm)
        return total
