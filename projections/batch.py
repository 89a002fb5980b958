"""One batch of records folded into one change of the state.

The records of individuals are folded by individual, in log order; no individual's fold reads the
catalogue, so how the two streams interleave cannot matter.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from events.catalogue import Catalogue
from events.codec import decode
from events.individual_events import QuarantineResolved
from events.policy_events import LedgerBegun
from events.streams import POLICIES, LogRecord, Position
from projections.facts import Facts, decode_facts, encode_facts, told_versions
from projections.fold import advance, live_facts
from projections.intake import Accepted, judge
from projections.ports import Change, HistoryEntry, QuarantineEntry, ReachEntry, Resolution, StateReads


class WrongGeneration(Exception):
    """The records are another ledger's than the source says. Point the projection at one ledger alone."""


class Folded(NamedTuple):
    """What a batch comes to: the change to save, and the catalogue that holds once it is saved."""

    change: Change
    catalogue: Catalogue


class _Sorted(NamedTuple):
    """The records of a batch, by what is to be done with them."""

    individuals: list[Accepted]
    policies: list[Accepted]
    quarantined: list[QuarantineEntry]


class _FoldedIndividual(NamedTuple):
    """One individual after the batch; ``reach`` where the versions that they were told of have changed."""

    facts: bytes
    reach: list[ReachEntry]


def fold_batch(
    reads: StateReads,
    catalogue: Catalogue,
    expected: Position | None,
    start: Position,
    records: Sequence[LogRecord],
) -> Folded:
    """The change that these records make to the state that ``reads`` shows at ``start``.

    ``expected`` is the store's checkpoint: ``start``, or none in a fresh store. Raises WrongGeneration.
    """
    batch = _sorted(records)
    news = _news(reads, batch.individuals)
    facts: dict[str, bytes] = {}
    reach: list[ReachEntry] = []
    for key, (before, accepted) in news.items():
        folded = _fold_individual(reads, key, before, accepted)
        facts[key] = folded.facts
        reach.extend(folded.reach)
    following, policies = _fold_policies(catalogue, batch.policies, start.generation)
    taken = [each for _, accepted in news.values() for each in accepted]
    change = Change(
        expected=expected,
        reached=reached_by(start, records),
        facts=facts,
        reach=reach,
        history=[(each.key, _history_entry(each)) for each in taken],
        policies=policies,
        quarantined=batch.quarantined,
        resolved=_resolutions(taken, start.generation),
        latest=list({record.slice: record for record in records}.values()),
    )
    return Folded(change, following)


def fold_catalogue(records: Iterable[LogRecord]) -> Catalogue:
    """The catalogue of records that were folded before (and so verified), in log order."""
    catalogue = Catalogue()
    for record in records:
        catalogue = catalogue.after(decode(record.value))
    return catalogue


def reached_by(start: Position, records: Iterable[LogRecord]) -> Position:
    """The position after these records, which follow ``start`` in the order of their slices."""
    offsets = start.as_dict()
    for record in records:
        offsets[record.slice] = record.offset + 1
    return Position.of(start.generation, offsets.items())


def _sorted(records: Iterable[LogRecord]) -> _Sorted:
    batch = _Sorted([], [], [])
    for record in records:
        judged = judge(record)
        if not isinstance(judged, Accepted):
            batch.quarantined.extend(judged)
        elif record.slice.stream == POLICIES:
            batch.policies.append(judged)
        else:
            batch.individuals.append(judged)
    return batch


def _news(reads: StateReads, accepted: Sequence[Accepted]) -> dict[str, tuple[bytes | None, list[Accepted]]]:
    """By individual, the facts before and what is new of them, in log order.

    ``semantics.md``: "A repeated event id [...] is the same event; the first in log order stands". So what
    the history holds already falls away, and what stands earlier in this batch.
    """
    before = reads.facts({each.key for each in accepted})
    asked = [(each.key, each.recorded.event.event_id) for each in accepted if each.key in before]
    seen = reads.known_ids(asked) if asked else set()
    news: dict[str, tuple[bytes | None, list[Accepted]]] = {}
    for each in accepted:
        pair = (each.key, each.recorded.event.event_id)
        if pair not in seen:
            seen.add(pair)
            news.setdefault(each.key, (before.get(each.key), []))[1].append(each)
    return news


def _fold_individual(
    reads: StateReads, key: str, before: bytes | None, accepted: Sequence[Accepted]
) -> _FoldedIndividual:
    old = None if before is None else decode_facts(before)
    facts = _advanced(old, accepted)
    if facts is None:  # Something came late, or is rare: the facts are made anew from all that is known.
        earlier = [] if before is None else [decode(entry.value) for entry in reads.history(key)]
        facts = live_facts([*earlier, *(each.recorded for each in accepted)])
    # Where nothing was told anew, the notices are still the very same object: most events end here.
    is_told = old is None or facts.notices is not old.notices
    return _FoldedIndividual(encode_facts(facts), _reach(key, old, facts) if is_told else [])


def _advanced(facts: Facts | None, accepted: Sequence[Accepted]) -> Facts | None:
    for each in accepted:
        facts = advance(facts, each.recorded)
        if facts is None:
            return None
    return facts


def _reach(key: str, old: Facts | None, facts: Facts) -> list[ReachEntry]:
    """What has changed of the versions that the individual was told of."""
    before = {} if old is None else told_versions(old)
    after = told_versions(facts)
    return [
        ReachEntry(key, policy_id, after.get(policy_id))
        for policy_id in sorted(before.keys() | after.keys())
        if before.get(policy_id) != after.get(policy_id)
    ]


def _fold_policies(
    catalogue: Catalogue, accepted: Iterable[Accepted], generation: str
) -> tuple[Catalogue, list[LogRecord]]:
    taken: list[LogRecord] = []
    for each in accepted:
        event = each.recorded.event
        if isinstance(event, LedgerBegun) and event.generation != generation:
            raise WrongGeneration(
                f"{each.record.place} begins another ledger; point the projection at one ledger alone"
            )
        following = catalogue.after(each.recorded)
        if following is not catalogue:  # It stays itself where the event id is repeated.
            catalogue = following
            taken.append(each.record)
    return catalogue, taken


def _history_entry(accepted: Accepted) -> HistoryEntry:
    record, recorded = accepted.record, accepted.recorded
    return HistoryEntry(
        recorded.event.event_id, recorded.recorded_at, record.slice, record.offset, record.value
    )


def _resolutions(taken: Iterable[Accepted], generation: str) -> list[Resolution]:
    """What is settled in this ledger: of another one, a resolution is about another record at that place."""
    resolved = [each.recorded.event for each in taken if isinstance(each.recorded.event, QuarantineResolved)]
    ours = f"{generation}/"
    return [Resolution(e.position[len(ours) :], e.tenant) for e in resolved if e.position.startswith(ours)]
