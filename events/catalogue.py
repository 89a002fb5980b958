"""The policy catalogue: a pure fold of the policies' stream, in log order, void events included.

Source: ``semantics.md``, *PolicyAmended* and *The facts*: "The policies stream is a *sequence*, in log
order." A catalogue is immutable; ``after`` gives the next one. What a tenant has published is in
``TenantPolicies``; what of it was known at an instant k is a ``PolicyView``.
"""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

import msgspec

from events.instants import Micros
from events.policy_events import FrameworkStatusChanged, LedgerBegun, PolicyAmended
from events.terms import Terms
from events.union import Recorded

VoidReason: TypeAlias = Literal[
    "version_not_next",
    "key_of_another_policy",
    "necessary_third_party",
    "key_named_twice",
    "recipient_named_twice",
]
"""Why an amendment claims nothing, in the order in which the rules are tried."""

VIEWS_MAX: Final = 256
"""Views of the past that one ``TenantPolicies`` keeps at hand; past that it begins again."""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A standing version of a policy: its terms by key, when it takes effect, when it was recorded."""

    policy_id: str
    version: int
    effective_at: Micros
    recorded_at: Micros
    event_id: str
    terms: Mapping[str, Terms]
    event: PolicyAmended


class VoidAmendment(msgspec.Struct, frozen=True, kw_only=True):
    """An amendment that is void everywhere and for ever, and why."""

    event_id: str
    policy_id: str
    version: int
    recorded_at: Micros
    reason: VoidReason


class FrameworkStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded change of a framework's status."""

    framework: str
    since: Micros
    in_force: bool
    recorded_at: Micros
    event_id: str


class PolicyLine:
    """The standing versions of one policy that a view knows, and which of them was in force when.

    ``semantics.md``: "The version in force at t is the highest one with `effective_at ≤ t` (so a later
    version that takes effect earlier leaves its predecessor never in force)."
    """

    __slots__ = ("_starts", "in_force", "instants", "keys", "policy_id", "versions")

    def __init__(self, policy_id: str, versions: tuple[Version, ...]) -> None:
        """Order the versions by when they came into force."""
        self.policy_id = policy_id
        self.versions: dict[int, Version] = {version.version: version for version in versions}
        self.keys = frozenset(key for version in versions for key in version.terms)
        self.instants = tuple(sorted({version.effective_at for version in versions}))
        in_force: list[Version] = []
        for version in sorted(versions, key=lambda v: (v.effective_at, -v.version)):
            if not in_force or version.version > in_force[-1].version:
                in_force.append(version)
        self.in_force = tuple(in_force)
        self._starts = [version.effective_at for version in in_force]

    def count_at(self, at: Micros) -> int:
        """How many of ``in_force`` have been in force by ``at``; the last of them is the one now."""
        return bisect_right(self._starts, at)

    def at(self, at: Micros) -> Version | None:
        """The version in force at an instant."""
        count = bisect_right(self._starts, at)
        return self.in_force[count - 1] if count else None


class PolicyView:
    """What a tenant's policies were known to be at one record time: the half of ``decide`` that is shared.

    ``plans`` is a memory for what a reader derives from the view alone; it is thrown away with it.
    """

    __slots__ = ("frameworks", "instants", "lines", "lines_by_key", "plans")

    def __init__(self, lines: Mapping[str, PolicyLine], frameworks: tuple[FrameworkStatus, ...]) -> None:
        """Index the policies by key and the statuses by framework."""
        self.lines = lines
        self.lines_by_key = {key: line for line in lines.values() for key in line.keys}
        self.frameworks: dict[str, tuple[FrameworkStatus, ...]] = {}
        # Of statuses that say the same from the same instant, the first in log order comes last, and counts.
        placed = sorted(enumerate(frameworks), key=lambda at: (at[1].since, not at[1].in_force, -at[0]))
        for _, status in placed:
            self.frameworks[status.framework] = (*self.frameworks.get(status.framework, ()), status)
        self.instants = tuple(sorted({status.since for status in frameworks}))
        self.plans: dict[object, Any] = {}

    def status(self, framework: str, at: Micros) -> FrameworkStatus | None:
        """The status that holds at an instant.

        ``semantics.md``: "that of the greatest `from ≤ t`, of equal ones the one not in force".
        """
        known = self.frameworks.get(framework, ())
        return next((status for status in reversed(known) if status.since <= at), None)


class TenantPolicies:
    """All that one tenant has published: standing versions, void amendments, framework statuses."""

    __slots__ = ("_seen", "_views", "frameworks", "newest_recorded_at", "owners", "standing", "void")

    def __init__(self) -> None:
        """A tenant that has published nothing yet."""
        self.standing: dict[str, tuple[Version, ...]] = {}
        self.owners: dict[str, str] = {}
        self.frameworks: tuple[FrameworkStatus, ...] = ()
        self.void: tuple[VoidAmendment, ...] = ()
        self.newest_recorded_at: Micros | None = None
        self._seen: frozenset[str] = frozenset()
        self._views: dict[Micros | None, PolicyView] = {}

    def holds(self, event_id: str) -> bool:
        """Whether an event of this id was folded already: the first in log order stands."""
        return event_id in self._seen

    def verdict(self, amendment: PolicyAmended) -> VoidReason | None:
        """Why an amendment would be void if it came next; none if it would stand."""
        if amendment.version != len(self.standing.get(amendment.policy_id, ())) + 1:
            return "version_not_next"
        keys = [terms.key for terms in amendment.purposes]
        if any(self.owners.get(key, amendment.policy_id) != amendment.policy_id for key in keys):
            return "key_of_another_policy"
        for terms in amendment.purposes:
            for recipient in terms.recipients:
                if recipient.role == "third_party" and (recipient.mode or terms.mode) == "necessary":
                    return "necessary_third_party"
        if len(set(keys)) != len(keys):
            return "key_named_twice"
        if any(
            len({r.name for r in terms.recipients}) != len(terms.recipients) for terms in amendment.purposes
        ):
            return "recipient_named_twice"
        return None

    def known_at(self, known_at: Micros | None) -> PolicyView:
        """The view of what was recorded by ``known_at``; null is all that is folded."""
        if (
            known_at is not None
            and self.newest_recorded_at is not None
            and known_at >= self.newest_recorded_at
        ):
            known_at = None
        view = self._views.get(known_at)
        if view is None:
            if len(self._views) >= VIEWS_MAX:
                self._views.clear()
            view = self._views[known_at] = self._view(known_at)
        return view

    def _view(self, known_at: Micros | None) -> PolicyView:
        lines: dict[str, PolicyLine] = {}
        for policy_id, versions in self.standing.items():
            known = tuple(v for v in versions if known_at is None or v.recorded_at <= known_at)
            if known:
                lines[policy_id] = PolicyLine(policy_id, known)
        frameworks = tuple(s for s in self.frameworks if known_at is None or s.recorded_at <= known_at)
        return PolicyView(lines, frameworks)

    def after(self, recorded: Recorded) -> "TenantPolicies":
        """These policies with one more event of the stream; itself where the event id is repeated."""
        event = recorded.event
        if event.event_id in self._seen:
            return self
        following = TenantPolicies()
        following.standing, following.owners = self.standing, self.owners
        following.frameworks, following.void = self.frameworks, self.void
        newest = self.newest_recorded_at
        following.newest_recorded_at = (
            recorded.recorded_at if newest is None else max(newest, recorded.recorded_at)
        )
        following._seen = self._seen | {event.event_id}
        if isinstance(event, PolicyAmended):
            following._amend(event, recorded.recorded_at)
        elif isinstance(event, FrameworkStatusChanged):
            status = FrameworkStatus(
                framework=event.framework,
                since=event.from_,
                in_force=event.in_force,
                recorded_at=recorded.recorded_at,
                event_id=event.event_id,
            )
            following.frameworks = (*self.frameworks, status)
        return following

    def _amend(self, event: PolicyAmended, recorded_at: Micros) -> None:
        reason = self.verdict(event)
        if reason is not None:
            void = VoidAmendment(
                event_id=event.event_id,
                policy_id=event.policy_id,
                version=event.version,
                recorded_at=recorded_at,
                reason=reason,
            )
            self.void = (*self.void, void)
            return
        version = Version(
            policy_id=event.policy_id,
            version=event.version,
            effective_at=event.effective_at,
            recorded_at=recorded_at,
            event_id=event.event_id,
            terms={terms.key: terms for terms in event.purposes},
            event=event,
        )
        self.standing = {
            **self.standing,
            event.policy_id: (*self.standing.get(event.policy_id, ()), version),
        }
        self.owners = {**self.owners, **{terms.key: event.policy_id for terms in event.purposes}}


_NOTHING: Final = TenantPolicies()


class Catalogue:
    """Every tenant's policies, as far as the policies' stream has been folded."""

    __slots__ = ("generation", "tenants")

    def __init__(
        self, tenants: Mapping[str, TenantPolicies] | None = None, generation: str | None = None
    ) -> None:
        """An empty catalogue, unless told otherwise."""
        self.tenants: Mapping[str, TenantPolicies] = tenants or {}
        self.generation = generation

    def tenant(self, name: str) -> TenantPolicies:
        """The policies of a tenant; of an unknown one, none."""
        return self.tenants.get(name, _NOTHING)

    def after(self, recorded: Recorded) -> "Catalogue":
        """This catalogue with one more event of the policies' stream."""
        event = recorded.event
        generation = self.generation
        if isinstance(event, LedgerBegun) and generation is None:
            generation = event.generation
        before = self.tenant(event.tenant)
        after = before.after(recorded)
        if after is before:
            return self
        return Catalogue({**self.tenants, event.tenant: after}, generation)
