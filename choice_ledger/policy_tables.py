"""Policies as rows of a table and as values for JSON."""

from collections.abc import Iterable

from events.catalogue import TenantPolicies, Version
from events.instants import Micros, format_duration, format_instant
from events.terms import Terms


def list_rows(policies: TenantPolicies, now: Micros) -> list[tuple[str, ...]]:
    """A row for each version, void ones among them."""
    rows = [
        (
            version.policy_id,
            str(version.version),
            format_instant(version.effective_at),
            format_instant(version.recorded_at),
            str(len(version.terms)),
            state_of(policies, version, now),
            version.event.title,
        )
        for versions in policies.standing.values()
        for version in versions
    ]
    rows += [
        (
            void.policy_id,
            str(void.version),
            "",
            format_instant(void.recorded_at),
            "",
            f"void: {void.reason}",
            "",
        )
        for void in policies.void
    ]
    return sorted(rows)


def state_of(policies: TenantPolicies, version: Version, now: Micros) -> str:
    """Whether a version is in force at an instant, will be, or no longer can be: it was, or was overtaken."""
    line = policies.known_at(None).lines[version.policy_id]
    if line.at(now) is version:
        return "in force" if version.terms else "withdrawn"
    comes = version.effective_at > now and any(coming is version for coming in line.in_force)
    return "to come" if comes else "superseded"


def policy_json(policies: TenantPolicies, now: Micros) -> list[dict[str, object]]:
    """The same for programs."""
    names = ("policy", "version", "effective_at", "recorded_at", "purposes", "state", "title")
    return [dict(zip(names, row, strict=True)) for row in list_rows(policies, now)]


def terms_rows(purposes: Iterable[Terms]) -> list[tuple[str, ...]]:
    """A row for each purpose of a version."""
    return [
        (
            terms.key,
            terms.mode,
            ", ".join(f"{r.name} ({r.role}, {terms.mode_for(r.name)})" for r in terms.recipients),
            ", ".join(terms.data),
            "everyone" if terms.populations is None else ", ".join(terms.populations),
            "" if terms.choice_period is None else format_duration(terms.choice_period),
            str(terms.meaning),
        )
        for terms in purposes
    ]
