"""Judges a history: what was promised against what the stores hold.

Pure functions in the spirit of Jepsen's checkers (https://jepsen.io): no clock, no store, no
Kafka. A list of a `Verdict` that is not empty is a broken promise, and each of its lines names the
act, the place and what was expected.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields

from tests.faults.harness.history import Act, Kind

Key = tuple[str, str]
"""Tenant and key."""

_MOST_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What a store holds of an act.

    Attributes:
        store: where it lies; each store is judged by itself.
        act: the act's id.
        id: the store's own id of the entry, so that one act under two ids is a duplicate.
        order: the store's own number in the order of the key: an offset, a revision. Entries of
            one partition have numbers in common order.
        value: as the act's.
        at: when it was written, in seconds since 1970.
        writer: of a log, one uninterrupted reader (a process between two rebalances).
        topic: where the record was read from, with `partition`; `order` is its offset then.
        versions: of an answer, the versions that it was stamped with, as `role=version`.
    """

    store: str
    kind: Kind
    tenant: str
    key: str
    act: str
    id: str
    order: int = 0
    value: str = ""
    at: float = 0.0
    writer: str = ""
    topic: str = ""
    partition: int = 0
    versions: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Commit:
    """A group's committed offset, as it was seen at that time (seconds since 1970)."""

    group: str
    topic: str
    partition: int
    offset: int
    at: float


@dataclass(frozen=True, kw_only=True)
class Live:
    """A version could be used from `since` until `until` (None: it still can), seconds since 1970:
    it was live, a canary, or another tenant's default.
    """

    version: str
    since: float
    until: float | None = None


@dataclass(frozen=True, kw_only=True)
class Holdings:
    """What the stores hold at the end; what is None is not judged.

    Attributes:
        log: what was written, in the order of writing. An entry that comes again under the same id
            was handled again, which is allowed.
        rows: what can be read. An entry that is there twice counts twice.
        latest: the value that is shown of every key in the end; a key that is missing is gone.
        commits: in the order in which they were seen.
        given_up: when a writer had handed its partitions over in order, by its name.
        live: when each version could be used.
        facts: ids of the votes that facts were made of.
        parked: ids of the acts in the dead letters.
        bugs: of those, the ones that a fault of the schedule makes fail: good, and parked by right.
        stores: stores that shall hold every acknowledged act of these kinds.
    """

    log: Sequence[Entry] = ()
    rows: Sequence[Entry] = ()
    latest: Mapping[Key, str] | None = None
    commits: Sequence[Commit] = ()
    given_up: Mapping[str, float] = field(default_factory=dict)
    live: Sequence[Live] | None = None
    facts: Collection[str] | None = None
    parked: Collection[str] = ()
    bugs: Collection[str] = ()
    stores: Mapping[str, Collection[Kind]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was broken, a line each, and how much was judged.

    Attributes:
        lost: acknowledged, and not in a store that shall hold it (or an older value is shown).
        duplicated: counted twice: two ids in one store, or two rows.
        reordered: written before an earlier one of its key, or shown instead of a later one.
        phantoms: in a store, and nobody sent it, or not so.
        commits_back: a committed offset that went back.
        commits_ahead: an offset was committed before all below it were handled or parked.
        after_handover: written by a reader that had given its partitions up in order.
        never_live: answers that name a version which could not be used then.
        untrained: acknowledged votes that are in no fact.
        acknowledged, unknown: acts with and without a promise.
        handled_again: entries of the log that repeat an earlier one.
    """

    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    reordered: list[str] = field(default_factory=list)
    phantoms: list[str] = field(default_factory=list)
    commits_back: list[str] = field(default_factory=list)
    commits_ahead: list[str] = field(default_factory=list)
    after_handover: list[str] = field(default_factory=list)
    never_live: list[str] = field(default_factory=list)
    untrained: list[str] = field(default_factory=list)
    acknowledged: int = 0
    unknown: int = 0
    handled_again: int = 0

    @property
    def broken(self) -> dict[str, list[str]]:
        """The lists that are not empty, by name."""
        lists = ((each.name, getattr(self, each.name)) for each in fields(self))
        return {name: lines for name, lines in lists if isinstance(lines, list) and lines}

    @property
    def clean(self) -> bool:
        """Whether every promise was kept."""
        return not self.broken

    def __str__(self) -> str:
        lines = [
            f"{self.acknowledged} acts acknowledged, {self.unknown} unknown, "
            f"{self.handled_again} handled again: {'clean' if self.clean else 'BROKEN'}"
        ]
        for name, broken in self.broken.items():
            lines.append(f"{name.replace('_', ' ')}: {len(broken)}")
            lines += [f"    {line}" for line in broken[:_MOST_SHOWN]]
        return "\n".join(lines)


def judge(history: Sequence[Act], holdings: Holdings, *, patience: float = 5.0) -> Verdict:
    """Compare what was promised with what is there.

    `patience` is how many seconds a service may go on with a version after it was replaced.
    """
    acts = {act.id: act for act in history}
    # What was parked is done with; a replay may handle it after all, out of its order.
    parked = set(holdings.parked)
    unparked = [entry for entry in holdings.log if entry.act not in parked]
    return Verdict(
        lost=[*_lost(history, holdings), *_lost_by_key(history, holdings)],
        duplicated=[*_two_ids(holdings), *_two_rows(holdings.rows)],
        reordered=[*_out_of_order(unparked), *_shown_too_old(history, holdings)],
        phantoms=[*_phantoms(acts, holdings), *_phantom_keys(history, holdings)],
        commits_back=list(_commits_back(holdings.commits)),
        commits_ahead=list(_commits_ahead(unparked, holdings.commits)),
        after_handover=list(_after_handover(holdings)),
        never_live=list(_never_live(acts, holdings, patience)),
        untrained=list(_untrained(history, holdings)),
        acknowledged=sum(act.acknowledged_at is not None for act in history),
        unknown=sum(act.acknowledged_at is None for act in history),
        handled_again=len(holdings.log) - len({(e.store, e.act, e.id) for e in holdings.log}),
    )


def _lost(history: Sequence[Act], holdings: Holdings) -> Iterable[str]:
    present: dict[str, set[str]] = defaultdict(set)
    for entry in (*holdings.log, *holdings.rows):
        present[entry.store].add(entry.act)
    parked, bugs = set(holdings.parked), set(holdings.bugs)
    for act in history:
        if act.acknowledged_at is None:
            continue
        if act.poison:
            if act.id not in parked:
                yield f"{_named(act)} is poison and not in the dead letters"
            continue
        if act.id in parked:
            if act.id not in bugs:
                yield f"{_named(act)} is good and was parked"
            continue
        for store, kinds in holdings.stores.items():
            if act.kind in kinds and act.id not in present[store]:
                yield f"{_named(act)} is not in {store}"


def _changes(history: Sequence[Act]) -> dict[Key, list[Act]]:
    """The acts on documents, by key, in the order sent."""
    changes: dict[Key, list[Act]] = defaultdict(list)
    for act in sorted(history, key=lambda act: act.at):
        if act.kind in (Kind.SUBMIT, Kind.DELETE) and not act.poison:
            changes[act.tenant, act.key].append(act)
    return changes


def _permitted(changes: Sequence[Act]) -> set[str] | None:
    """The values that may be shown in the end; None where nothing was promised.

    That of the last acknowledged act, of those sent before it was acknowledged and acknowledged
    after it was sent, and of those that nobody knows the fate of.
    """
    promised = [act for act in changes if act.acknowledged_at is not None]
    if not promised:
        return None
    last = promised[-1]
    return {
        act.value if act.kind is Kind.SUBMIT else ""
        for act in changes
        if act.acknowledged_at is None or act.acknowledged_at >= last.at
    }


def _lost_by_key(history: Sequence[Act], holdings: Holdings) -> Iterable[str]:
    """A key that shows nothing although something should be shown."""
    if holdings.latest is None:
        return
    for (tenant, key), changes in _changes(history).items():
        permitted = _permitted(changes)
        if permitted and "" not in permitted and not holdings.latest.get((tenant, key)):
            yield f"{tenant}/{key} shows nothing, expected {' or '.join(sorted(permitted))}"


def _shown_too_old(history: Sequence[Act], holdings: Holdings) -> Iterable[str]:
    """A key that shows what an earlier act said."""
    if holdings.latest is None:
        return
    for (tenant, key), changes in _changes(history).items():
        permitted = _permitted(changes)
        value = holdings.latest.get((tenant, key), "")
        if permitted and value and value not in permitted and value in {a.value for a in changes}:
            expected = " or ".join(each or "nothing" for each in sorted(permitted))
            yield f"{tenant}/{key} shows {value}, expected {expected}"


def _phantom_keys(history: Sequence[Act], holdings: Holdings) -> Iterable[str]:
    """A key that shows what nobody sent."""
    if holdings.latest is None:
        return
    changes = _changes(history)
    for (tenant, key), value in holdings.latest.items():
        if value and value not in {act.value for act in changes.get((tenant, key), ())}:
            yield f"{tenant}/{key} shows {value}, which nobody sent"


def _two_ids(holdings: Holdings) -> Iterable[str]:
    ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    for entry in (*holdings.log, *holdings.rows):
        ids[entry.store, entry.act].add(entry.id)
    for (store, act), several in ids.items():
        if len(several) > 1:
            yield f"{act} is in {store} under {len(several)} ids: {', '.join(sorted(several)[:3])}"


def _two_rows(rows: Sequence[Entry]) -> Iterable[str]:
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        counts[row.store, row.id] += 1
    for (store, row_id), count in counts.items():
        if count > 1:
            yield f"{row_id} is in {store} {count} times"


def _out_of_order(log: Sequence[Entry]) -> Iterable[str]:
    """An entry may go back in its key, as when it is handled again; nothing ever jumps ahead.

    Of one writer that is: at most one further than its own entry before. Of a new writer: at most
    one further than what all of them have written so far.
    """
    written: dict[tuple[str, str, str, str, int], list[Entry]] = defaultdict(list)
    for entry in log:
        place = entry.topic, entry.partition
        written[entry.store, entry.tenant, entry.key, *place].append(entry)
    for entries in written.values():
        orders = sorted({entry.order for entry in entries})
        rank = {order: number for number, order in enumerate(orders)}
        highest = -1
        before: dict[str, int] = {}
        for entry in entries:
            at = rank[entry.order]
            own = before.get(entry.writer)
            if at > highest + 1 or (own is not None and at > own + 1):
                expected = orders[(highest if own is None else own) + 1]
                yield (
                    f"{entry.tenant}/{entry.key} in {entry.store}: {entry.act} at {entry.order} "
                    f"came before the one at {expected}"
                )
            highest = max(highest, at)
            before[entry.writer] = at


def _phantoms(acts: Mapping[str, Act], holdings: Holdings) -> Iterable[str]:
    for entry in (*holdings.log, *holdings.rows):
        act = acts.get(entry.act)
        if act is None:
            yield f"{entry.act} is in {entry.store} and nobody sent it"
        elif (act.tenant, act.key) != (entry.tenant, entry.key):
            yield f"{entry.act} is in {entry.store} under {entry.tenant}/{entry.key}: {_named(act)}"
        elif entry.value and entry.value != act.value:
            yield f"{entry.act} is in {entry.store} as {entry.value}: {_named(act)}"


def _commits_back(commits: Sequence[Commit]) -> Iterable[str]:
    highest: dict[tuple[str, str, int], int] = {}
    for commit in commits:
        place = commit.group, commit.topic, commit.partition
        before = highest.get(place, commit.offset)
        if commit.offset < before:
            yield f"{commit.group} on {commit.topic} {commit.partition}: {before}, {commit.offset}"
        highest[place] = max(before, commit.offset)


def _commits_ahead(log: Sequence[Entry], commits: Sequence[Commit]) -> Iterable[str]:
    """For every record that was handled, when it was first: no earlier commit may include it.

    One that was never handled is lost, which is judged elsewhere.
    """
    first_at: dict[tuple[str, int], dict[int, float]] = defaultdict(dict)
    for entry in log:
        times = first_at[entry.topic, entry.partition]
        times[entry.order] = min(entry.at, times.get(entry.order, entry.at))
    ordered = {place: sorted(times.items()) for place, times in first_at.items()}
    passed: dict[tuple[str, str, int], int] = defaultdict(int)
    for commit in commits:
        place = commit.group, commit.topic, commit.partition
        records = ordered.get((commit.topic, commit.partition), [])
        while passed[place] < len(records) and records[passed[place]][0] < commit.offset:
            offset, at = records[passed[place]]
            passed[place] += 1
            if at > commit.at:
                yield (
                    f"{commit.group} on {commit.topic} {commit.partition}: {commit.offset} was "
                    f"committed {at - commit.at:.3f} s before {offset} was handled"
                )


def _after_handover(holdings: Holdings) -> Iterable[str]:
    for entry in holdings.log:
        given_up = holdings.given_up.get(entry.writer)
        if given_up is not None and entry.at > given_up:
            yield (
                f"{entry.act} was written to {entry.store} by {entry.writer} "
                f"{entry.at - given_up:.3f} s after it had handed its partitions over"
            )


def _never_live(acts: Mapping[str, Act], holdings: Holdings, patience: float) -> Iterable[str]:
    if holdings.live is None:
        return
    times: dict[str, list[Live]] = defaultdict(list)
    for live in holdings.live:
        times[live.version].append(live)
    for entry in (*holdings.log, *holdings.rows):
        act = acts.get(entry.act)
        if entry.kind is not Kind.ANSWER or act is None:
            continue
        end = entry.at if act.acknowledged_at is None else act.acknowledged_at
        for version in entry.versions:
            if not any(
                live.since <= end + patience
                and (live.until is None or live.until >= act.at - patience)
                for live in times[version]
            ):
                yield f"{_named(act)} was answered by {version}, which was not live then"


def _untrained(history: Sequence[Act], holdings: Holdings) -> Iterable[str]:
    if holdings.facts is None:
        return
    facts = set(holdings.facts)
    for act in history:
        if act.kind is Kind.VOTE and act.acknowledged_at is not None and act.id not in facts:
            yield f"{_named(act)} is in no fact"


def _named(act: Act) -> str:
    return f"{act.kind} {act.id} of {act.tenant}/{act.key}"
