"""Permissions: every use that can be asked about an individual, so that all of them can be answered at once.

Pure. It enumerates questions and answers none: ``decide`` alone does that.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from events.catalogue import PolicyView, TenantPolicies
from events.instants import Micros
from events.selectors import covers
from projections.facts import NO_FACTS, Compelled, Facts

USES_MAX: Final = 10_000
"""Uses of one enumeration. A tenant that declares more has them enumerated branch by branch."""


class Use(NamedTuple):
    """A purpose and whom its data goes to; a recipient of none is the controller's own use."""

    purpose: str
    recipient: str | None


class TooManyUses(Exception):
    """More than ``USES_MAX`` uses are selected: select a branch of the purposes instead of all."""


def uses(
    policies: TenantPolicies,
    facts: Facts = NO_FACTS,
    *,
    at: Micros,
    known_at: Micros | None = None,
    selectors: tuple[str, ...] | None = None,
) -> tuple[Use, ...]:
    """Every use that the policies speak of, in the order of purposes and recipients, own use first.

    A purpose is spoken of once any standing version that is known declares it, also where the one in force
    at ``at`` does not; so is a recipient that any of them names for it. To these come those to whom the law
    compels disclosure at ``at``, who may be in no policy at all. ``selectors`` (null: all) choose purposes.
    Raises TooManyUses.
    """
    recipients: dict[str, set[str]] = {}
    for key, name in _declared(policies.known_at(known_at)):
        if covers(selectors, key):
            recipients.setdefault(key, set()).update(() if name is None else (name,))
    for key, name in _compelled(facts, at, frozenset(recipients)):
        if covers(selectors, key):
            recipients.setdefault(key, set()).add(name)
    if sum(1 + len(names) for names in recipients.values()) > USES_MAX:
        raise TooManyUses(f"more than {USES_MAX} uses; select a branch of the purposes")
    return tuple(Use(key, name) for key in sorted(recipients) for name in (None, *sorted(recipients[key])))


def _declared(view: PolicyView) -> Iterator[tuple[str, str | None]]:
    for line in view.lines.values():
        for version in line.versions.values():
            for key, terms in version.terms.items():
                yield key, None
                for recipient in terms.recipients:
                    yield key, recipient.name


def _compelled(facts: Facts, at: Micros, declared: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Whom the law compels to be told for which purpose: those declared, or the one that it names itself."""
    for compelled in facts.compelled:
        if max(compelled.occurred_at, compelled.since) > at or _is_over(compelled, at):
            continue
        for selector in ("*",) if compelled.purposes is None else compelled.purposes:
            keys = [key for key in declared if covers((selector,), key)]
            for key in keys or ([] if selector == "*" else [selector]):
                yield key, compelled.recipient


def _is_over(compelled: Compelled, at: Micros) -> bool:
    return compelled.to is not None and compelled.to <= at
