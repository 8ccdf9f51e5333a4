"""Which passages are marked: those of versions of a page, and those of other pages."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from random import Random

from datasketch import MinHash, MinHashLSH
from gyre_common.retrieval_settings import NEAR_DUPLICATES

from bench.duplicates.pages import DIFFERENT, OLD, SAME, Page, Passage, page_of
from bench.report import table

BOUNDS = (0.5, NEAR_DUPLICATES, 0.7, 0.8, 0.9)

_PERMUTATIONS = 128


def passages_report(new: Mapping[str, Page], old: Mapping[str, Page], count: int) -> str:
    """A row a kind of version: of its passages that no passage of the page equals, those that are
    as alike as the bound says, and of these the ones that are marked.
    """
    random = Random(1)
    chosen = random.sample(sorted(new), count)
    rows = []
    for kind, change in {**SAME, **DIFFERENT}.items():
        changed = {name: change(new[name].source, random) for name in chosen}
        versions = [page_of(name, "version", text) for name, text in changed.items() if text]
        rows.append(_row(kind, versions, new))
    rows.append(_row(f"as of {OLD}", [page for name, page in old.items() if name in new], new))
    head = ("version", "pages", "changed passages", f"similarity {NEAR_DUPLICATES} or more")
    return table((*head, "marked"), rows)


def _row(kind: str, versions: Sequence[Page], new: Mapping[str, Page]) -> tuple[str, ...]:
    changed = alike = marked = 0
    for version in versions:
        originals = new[version.name].passages
        same_words = {passage.words for passage in originals}
        for passage in version.passages:
            if passage.words in same_words:
                continue
            changed += 1
            alike += any(is_alike(passage, one, NEAR_DUPLICATES) for one in originals)
            marked += any(is_marked(passage, one, NEAR_DUPLICATES) for one in originals)
    share = f"{marked} ({marked / max(1, alike):.0%})"
    return kind, f"{len(versions)}", f"{changed}", f"{alike}", share


def others_report(new: Mapping[str, Page], old: Mapping[str, Page]) -> str:
    """A row a bound: pairs of passages of both releases that are marked and do not have the same
    words; of one page (or one that was moved, by its file's name), or of two.
    """
    everything = [one for page in (*new.values(), *old.values()) for one in page.passages]
    pairs = list(_pairs_by_place(everything))
    peers = list(_pairs_by_lsh(everything))
    rows = []
    for bound in BOUNDS:
        marked = Counter(_is_one_page(*pair) for pair in pairs if is_marked(*pair, bound))
        unguarded = Counter(_is_one_page(*pair) for pair in pairs if is_alike(*pair, bound))
        by_peer = Counter(_is_one_page(*pair) for pair in peers if is_alike(*pair, bound))
        cells = (f"{each[True]:,} / {each[False]:,}" for each in (marked, unguarded, by_peer))
        rows.append((f"{bound}", *cells))
    head = ("bound", "of one page / of two: marked", "were facts not looked at", "peer")
    return table(head, rows)


def is_alike(one: Passage, other: Passage, bound: float) -> bool:
    """By words alone."""
    return one.wording.similarity(other.wording) >= bound


def is_marked(one: Passage, other: Passage, bound: float) -> bool:
    """As the retriever does."""
    return one.place == other.place and one.wording.is_near(other.wording, bound)


def _pairs_by_place(passages: Sequence[Passage]) -> Iterator[tuple[Passage, Passage]]:
    by_place: dict[tuple[str, ...], list[Passage]] = defaultdict(list)
    for passage in passages:
        by_place[passage.place].append(passage)
    for some in by_place.values():
        yield from filter(_counts, combinations(some, 2))


def _pairs_by_lsh(passages: Sequence[Passage]) -> Iterator[tuple[Passage, Passage]]:
    """Passages with the same words stand for one another."""
    by_words = {passage.words: passage for passage in passages}
    distinct = list(by_words.values())
    near = MinHashLSH(threshold=BOUNDS[0], num_perm=_PERMUTATIONS)
    for number, passage in enumerate(distinct):
        sketch = MinHash(num_perm=_PERMUTATIONS)
        sketch.update_batch([" ".join(triple).encode() for triple in passage.wording._triples])
        for other in near.query(sketch):
            if _counts((passage, distinct[other])):
                yield passage, distinct[other]
        near.insert(number, sketch, check_duplication=False)


def _counts(pair: tuple[Passage, Passage]) -> bool:
    one, other = pair
    return (one.page, one.release) != (other.page, other.release) and one.words != other.words


def _is_one_page(one: Passage, other: Passage) -> bool:
    return one.page.rpartition("/")[2] == other.page.rpartition("/")[2] != "_index.md" or (
        one.page == other.page
    )
