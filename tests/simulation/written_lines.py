"""Lines written by hand: short ways to say an event, with ids made from names that tests can say again."""

import uuid

from tests.simulation.naive_decide import decide
from tests.simulation.naive_facts import Line

KEY = "website.email"
"""The purpose that the written cases are about."""

POLICY_TYPES = ("PolicyAmended", "FrameworkStatusChanged")


def uid(name: str) -> str:
    """The event id that a name stands for."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


def instant(text: str) -> str:
    """A day (`05-03`) or an instant (`05-03T10:00:00.000001`) of 2026 as the line format writes it."""
    day, _, time = text.partition("T")
    hour, _, fraction = (time or "00:00:00.000000").partition(".")
    return f"2026-{day}T{hour}.{fraction or '000000'}Z"


def event(
    event_type: str, name: str, occurred: str, *, recorded: str | None = None, **fields: object
) -> Line:
    """An event, recorded when it happened unless it says otherwise; an individual's is Ana's."""
    whose = {} if event_type in POLICY_TYPES else {"individual": "ana"}
    times = {"occurred_at": instant(occurred), "recorded_at": instant(recorded or occurred)}
    return {"type": event_type, "event_id": uid(name), "tenant": "acme"} | times | whose | fields


def terms(mode: str = "opt_out", *, key: str = KEY, **fields: object) -> Line:
    """Terms of a purpose, with the data `email` and no choice period unless said otherwise."""
    return {"key": key, "mode": mode, "data": ["email"], "choice_period": "PT0S"} | fields


def version(number: int, on: str, *purposes: Line, effective: str | None = None, **fields: object) -> Line:
    """A version of the policy `website`, recorded on a day and effective then unless said otherwise."""
    policy_id = fields.pop("policy_id", "website")
    own = {"policy_id": policy_id, "version": number, "effective_at": instant(effective or on)}
    name = str(fields.pop("name", f"{policy_id} {number}"))
    return event("PolicyAmended", name, on, purposes=list(purposes)) | own | fields


def notice(number: int, on: str, *, recorded: str | None = None, **fields: object) -> Line:
    """A notice of a version of `website`, with a choice, not at collection; its name is `notice` and its
    day.
    """
    own: Line = {"notice_id": on, "policy_id": "website", "version": number, "choice_offered": True}
    return event("NoticeGiven", f"notice {on}", on, recorded=recorded, **(own | fields))


def outcome(of: str, what: str, on: str, *, recorded: str | None = None) -> Line:
    """An outcome of the notice given on a day."""
    return event("NoticeOutcome", f"{what} {on}", on, recorded=recorded, notice_id=of, outcome=what)


def opt_out(on: str, *purposes: str, recorded: str | None = None, **fields: object) -> Line:
    """An opt-out, by default of the purpose that the written cases are about; its name is `out` and its
    day.
    """
    own: Line = {"decision": "opt_out", "purposes": list(purposes) or [KEY]}
    return event("ChoiceMade", f"out {on}", on, recorded=recorded, **(own | fields))


def opt_in(on: str, *purposes: str, recorded: str | None = None, **fields: object) -> Line:
    """An opt-in, by default to the purpose that the written cases are about; its name is `in` and its day."""
    own: Line = {"decision": "opt_in", "purposes": list(purposes) or [KEY]}
    return event("ChoiceMade", f"in {on}", on, recorded=recorded, **(own | fields))


def ask(lines: list[Line], at: str, recipient: str | None = None, **fields: object) -> Line:
    """The plain decision for Ana, as known at the end unless `known_at` gives a day or an instant."""
    known_at = fields.pop("known_at", None)
    question: Line = {
        "tenant": "acme",
        "individual": "ana",
        "purpose": KEY,
        "recipient": recipient,
        "data": [],
    }
    times = {"at": instant(at), "known_at": None if known_at is None else instant(str(known_at))}
    return decide(lines, question | times | fields)


def reason(lines: list[Line], at: str, recipient: str | None = None, **fields: object) -> str:
    """The reason of the plain decision: see `ask`."""
    return str(ask(lines, at, recipient, **fields)["reason"])
