"""The facts of a question, read from lines: what exists at k, what stands, what is in force.

It belongs to the plain second implementation of the decision, in `naive_decide.py`.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

Line = dict[str, Any]
"""One event, one terms, one question or one decision, with the names of the line format."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DURATION = re.compile(
    r"P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d{1,6})?)S)?)?"
)
_INSTANT_FIELDS = ("occurred_at", "recorded_at", "effective_at", "from", "to")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What exists for a question: everything of its tenant and individual that was recorded by k."""

    versions: list[Line]
    """The standing amendments of every policy of the tenant, in log order."""
    statuses: list[Line]
    """The framework statuses of the tenant, in log order."""
    events: list[Line]
    """The individual's events, in the individual's order."""


def instant(text: str) -> int:
    """The microseconds since 1970 of an RFC 3339 instant: "Times are UTC, whole microseconds"."""
    return (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND


def instant_text(micros: int) -> str:
    """An instant as the line format writes it."""
    return (_EPOCH + timedelta(microseconds=micros)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def duration(text: str | None) -> int:
    """The microseconds of an ISO 8601 duration; nothing where there is none."""
    # § "Durations are ISO 8601 in weeks, days, hours, minutes and seconds only"
    if text is None:
        return 0
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no duration: write it like P30D or PT12H")
    parts = {unit: float(count) for unit, count in found.groupdict().items() if count is not None}
    return timedelta(**parts) // _MICROSECOND


def what_is_known(lines: list[Line], question: Line) -> Known:
    """The tenant's standing policy events and the individual's events that were recorded by k."""
    tenant = [line for line in lines if line["tenant"] == question["tenant"]]
    # § "An individual event has `individual`, a pseudonymous id."
    policies = without_repeats([line for line in tenant if line.get("individual") is None])
    individual = without_repeats(
        [line for line in tenant if line.get("individual") == question["individual"]]
    )
    k = None if question.get("known_at") is None else instant(question["known_at"])

    # § "An event with `recorded_at > k` does not exist for the query."
    def exists(line: Line) -> bool:
        return k is None or bool(line["recorded_at"] <= k)

    return Known(
        # What is void is void "everywhere, for ever and whatever k": it is struck out before k is asked.
        versions=[line for line in standing_versions(policies) if exists(line)],
        statuses=[line for line in policies if line["type"] == "FrameworkStatusChanged" and exists(line)],
        # § "Among an individual's events, order is `(occurred_at, recorded_at, event_id as lower-case text)`,
        # never the order of arrival"
        events=sorted(
            (line for line in individual if exists(line)),
            key=lambda line: (line["occurred_at"], line["recorded_at"], line["event_id"]),
        ),
    )


def without_repeats(lines: list[Line]) -> list[Line]:
    """The lines of one individual, or of the policies of one tenant, each event id once, instants parsed."""
    # § "A repeated event id (of one tenant and individual, or of the policies) is the same event; the first
    # in log order stands."
    firsts: dict[str, Line] = {}
    for line in lines:
        event_id = line["event_id"].lower()
        if event_id not in firsts:
            parsed = {field: instant(line[field]) for field in _INSTANT_FIELDS if line.get(field) is not None}
            firsts[event_id] = line | parsed | {"event_id": event_id}
    return list(firsts.values())


def standing_versions(policies: list[Line]) -> list[Line]:
    """The amendments of a tenant that are not void, in log order."""
    standing: list[Line] = []
    for event in policies:
        if event["type"] == "PolicyAmended" and not is_void(event, standing):
            standing.append(event)
    return standing


def is_void(event: Line, standing: list[Line]) -> bool:
    """Whether an amendment is void, given those that stand before it in log order."""
    # § "an event is **void** [...] if its version is not one more than the policy's highest standing one"
    # § "Version 1 is the first"
    highest = max((v["version"] for v in standing if v["policy_id"] == event["policy_id"]), default=0)
    if event["version"] != highest + 1:
        return True
    # § "if it declares a `key` that a standing event of another policy of the tenant declared before"
    keys = [terms["key"] for terms in event.get("purposes") or []]
    others = [version for version in standing if version["policy_id"] != event["policy_id"]]
    if any(terms_of(version, key) is not None for version in others for key in keys):
        return True
    # § "or if it names one key, or one recipient of a key, twice"
    if has_repeats(keys):
        return True
    for terms in event.get("purposes") or []:
        recipients = terms.get("recipients") or []
        if has_repeats([recipient["name"] for recipient in recipients]):
            return True
        # § "if a third party is `necessary`"
        if any(is_third_party(r) and mode_for(terms, r["name"]) == "necessary" for r in recipients):
            return True
    return False


def has_repeats(names: list[str]) -> bool:
    """Whether a name stands twice in the list."""
    return len(names) != len(set(names))


def is_third_party(recipient: Line) -> bool:
    """Whether a recipient is a third party: "`role` (`agent` | `third_party`, the default)"."""
    return (recipient.get("role") or "third_party") == "third_party"


def terms_of(version: Line | None, purpose: str) -> Line | None:
    """The purpose's terms in a version; none where it does not declare the purpose."""
    for terms in [] if version is None else version.get("purposes") or []:
        if terms["key"] == purpose:
            found: Line = terms
            return found
    return None


def mode_for(terms: Line, recipient: str | None) -> str:
    """The mode for a recipient, "default: the purpose's"; for own use "the purpose's"."""
    for each in terms.get("recipients") or []:
        if each["name"] == recipient and each.get("mode") is not None:
            return str(each["mode"])
    return str(terms["mode"])


def in_force_at(versions: list[Line], t: int) -> Line | None:
    """The version of one policy that is in force at t."""
    # § "The version in force at t is the highest one with `effective_at ≤ t`"
    effective = [version for version in versions if version["effective_at"] <= t]
    return max(effective, key=lambda version: int(version["version"]), default=None)


def selects(selectors: list[str], key: str) -> bool:
    """Whether one of the selectors covers the key: "`hr` covers `hr` and `hr.*`; `*` all"."""
    return any(each in ("*", key) or key.startswith(each + ".") for each in selectors)
