"""What a document's words come to in a few bytes, so that documents that say nearly the same show.

MinHash with bands (Broder 1997, SEQUENCES; Leskovec et al., Mining of Massive Datasets, 3.4).
"""

import base64
from array import array
from collections.abc import Iterable
from typing import NamedTuple

from gyre_common.events.documents import Chunk
from gyre_common.near_duplicates import word_triples
from gyre_common.text import words
from rensa import RMinHash
from xxhash import xxh3_64_hexdigest

_BANDS, _ROWS = 31, 4
"""Of pairs whose similarity is 0.6 this misses 14 in 1,000, at 0.8 none (1 - (1 - 0.6^4)^31)."""

_SEED = 1
_AT_ONCE = 512


class Sketch(NamedTuple):
    """`sketch` is for `estimated_similarity`; documents that are near share one of `bands`."""

    sketch: str = ""
    bands: tuple[str, ...] = ()


def sketch_of(chunks: Iterable[Chunk]) -> Sketch:
    """Of all that a document holds, in order, however it was cut; empty where it has no words.

    Kept by the index, so that a change of what it comes to needs the index to be filled anew.
    """
    hashes = RMinHash(num_perm=_BANDS * _ROWS, seed=_SEED)
    pending: list[str] = []
    has_words = False
    for chunk in chunks:
        pending += [word.casefold() for word in words(chunk.text)]
        if len(pending) > _AT_ONCE:
            hashes.update([" ".join(triple) for triple in word_triples(pending)])
            has_words, pending = True, pending[-2:]
    if pending and not (has_words and len(pending) == 2):
        hashes.update([" ".join(triple) for triple in word_triples(pending)])
    elif not has_words:
        return Sketch()
    lowest = array("I", hashes.digest())
    bands = (
        xxh3_64_hexdigest(lowest[start : start + _ROWS].tobytes(), seed=start)
        for start in range(0, len(lowest), _ROWS)
    )
    low_bytes = bytes(each % 256 for each in lowest)
    return Sketch(base64.b64encode(low_bytes).decode(), tuple(bands))
