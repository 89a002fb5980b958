"""Questions about a random world that fall on its edges: on its instants, beside them and between them."""

import random
from collections.abc import Iterable

from tests.simulation.amendments import DATA, PERIOD_DAYS, RECIPIENTS, Line
from tests.simulation.calendar_days import DAY, day

_ABOUT = ("ChoiceMade", "DisclosureCompelled", "ProcessingRestricted")


def question(rng: random.Random, log: list[Line]) -> Line:
    """A question about the log: anyone in it, near one of its events or anywhere."""
    tenant = rng.choice([event["tenant"] for event in log])
    mine = [event for event in log if event["tenant"] == tenant]
    individual = rng.choice([event["individual"] for event in mine if "individual" in event] or ["nobody"])
    versions = [event for event in mine if event["type"] == "PolicyAmended"]
    events = [event for event in mine if event.get("individual") == individual]
    asked = question_at_random(rng, versions)
    choices = [event for event in events if event["type"] in _ABOUT]
    choices += [event for event in choices if event.get("decision") == "opt_in"]
    moments = sorted(interesting(mine, individual))
    since = day(1)
    if choices and rng.random() < 0.7:
        about = rng.choice(choices)
        asked |= question_on(rng, about, versions)
        since = max(about["occurred_at"], day(1))
    # Most questions are about what has begun; some fall before everything.
    begun = [moment for moment in moments if moment >= since] if rng.random() < 0.95 else moments
    known = sorted({event["recorded_at"] for event in mine})
    return {
        "tenant": tenant if rng.random() < 0.995 else "elsewhere",
        "individual": individual if rng.random() < 0.98 else "nobody",
        "at": near(rng, begun or moments),
        "known_at": None if rng.random() < 0.65 else near(rng, known[len(known) // 3 :]),
    } | asked


def question_at_random(rng: random.Random, versions: list[Line]) -> Line:
    """Any purpose, with a recipient and data that its terms may declare."""
    terms = [each for version in versions for each in version["purposes"]]
    if not terms or rng.random() < 0.03:
        return {"purpose": rng.choice(("nothing", "hr", "website.emails")), "recipient": None, "data": []}
    about = rng.choice(terms)
    names = [each["name"] for each in about["recipients"]]
    anyone = rng.choice((*RECIPIENTS, "nobodyco"))
    recipient = rng.choice((None, None, None, *names, *names, *names, *names, anyone))
    return {"purpose": about["key"], "recipient": recipient, "data": data(rng, about["data"])}


def data(rng: random.Random, declared: list[str]) -> list[str]:
    """The data asked for: mostly none named, else a part of what is declared, or more than that."""
    lot = rng.random()
    if lot < 0.6 or not declared:
        return []
    return rng.sample(declared, rng.randint(1, len(declared))) if lot < 0.9 else rng.sample(DATA, 3)


def question_on(rng: random.Random, event: Line, versions: list[Line]) -> Line:
    """The purpose and the recipient that an event of the individual names; mostly no data."""
    asked: Line = {} if rng.random() < 0.2 else {"data": []}
    declared = [terms for version in versions for terms in version["purposes"]]
    named = [terms for terms in declared if {terms["key"], *terms["replaces"]} & set(event["purposes"] or [])]
    if event["type"] == "DisclosureCompelled":
        asked["recipient"] = event["recipient"]
    if not named:
        return asked
    about = rng.choice(named)
    if event["type"] == "ChoiceMade":
        names = [each["name"] for each in about["recipients"] if each["name"] in (event["recipients"] or [])]
        asked["recipient"] = rng.choice(names or [None])
    return asked | {"purpose": about["key"]}


def interesting(events: Iterable[Line], individual: str) -> set[int]:
    """The instants at which something of the tenant's or the individual's could begin or end."""
    found: set[int] = set()
    for event in events:
        if event.get("individual") in (None, individual):
            fields = ("occurred_at", "recorded_at", "effective_at", "from", "to")
            found |= {event[field] for field in fields if event.get(field) is not None}
            if event["type"] in ("NoticeGiven", "NoticeOutcome", "ChoiceMade"):
                found |= {event["occurred_at"] + period * DAY for period in PERIOD_DAYS}
    return found


def near(rng: random.Random, moments: list[int]) -> int:
    """One of the moments, a microsecond beside it, or the middle between it and another one."""
    moment = rng.choice(moments)
    middle = (moment + rng.choice(moments)) // 2
    return rng.choice((moment, moment, moment, moment - 1, moment + 1, middle))
