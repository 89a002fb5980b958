"""Worlds so narrow that events meet: one purpose, the one that it replaces, one recipient, ten days.

The wide worlds of `histories.py` reach every rule; these reach the corners where two rules touch: choices at
one instant, opt-outs of what later becomes necessary, terms that come back, choice periods of two lengths.
"""

import random

from tests.simulation.amendments import Line, mended, new_recipient
from tests.simulation.calendar_days import DAY, day, event_of

_TENANT = "acme"
_POLICY = "club"
_KEY = "club.mail"
_OLD_KEY = "old.mail"
_RECIPIENT = "payco"
_DAYS = range(10)
_PERIODS = ("PT0S", "P2D", "P2D", "P5D", "P1W")
_MODES = ("necessary", "opt_out", "opt_out", "opt_in")


def narrow_streams(rng: random.Random) -> tuple[list[Line], list[Line]]:
    """The policies stream and the individuals stream of one tenant, not yet in log order."""
    published = [*versions(rng), *statuses(rng)]
    individuals = rng.sample(("ana", "bo"), rng.choice((1, 2)))
    return published, [event for each in individuals for event in history(rng, each, published)]


def versions(rng: random.Random) -> list[Line]:
    """Two to five versions, in log order; some bring back the terms of the last but one."""
    recorded = [0, *sorted(rng.choice(_DAYS[:7]) for _ in range(rng.randint(1, 4)))]
    made: list[Line] = []
    # The policy leans to one mode, or one would seldom find the same one told and in force.
    modes = (*_MODES, *[rng.choice(("necessary", "opt_in", "opt_in", "opt_in"))] * 6)
    for place, on in enumerate(recorded):
        purposes = [terms(rng, _KEY, modes), *([terms(rng, _OLD_KEY, modes)] if rng.random() < 0.4 else [])]
        if place >= 2 and rng.random() < 0.4:
            purposes = made[-2]["purposes"]
        elif place >= 1 and rng.random() < 0.4:
            purposes = [one_field_changed(rng, each, modes) for each in made[-1]["purposes"]]
        if place >= 1 and rng.random() < 0.1:
            purposes = [each for each in purposes if each["key"] == _OLD_KEY]
        effective = day(on + rng.choice((0, 0, 0, 0, 1, 2, -1)))
        fields = {"policy_id": _POLICY, "version": place + 1, "effective_at": effective, "purposes": purposes}
        made.append(event_of(rng, _TENANT, "PolicyAmended", day(on), fields))
    return made


def terms(rng: random.Random, key: str, modes: tuple[str, ...]) -> Line:
    """Terms that differ in little but the mode and the periods."""
    return mended(
        {
            "key": key,
            "meaning": 1 if rng.random() < 0.8 else 2,
            "replaces": [_OLD_KEY] if key == _KEY and rng.random() < 0.5 else [],
            "mode": rng.choice(modes),
            "recipients": [new_recipient(rng, _RECIPIENT)] if rng.random() < 0.7 else [],
            "data": ["email"] if rng.random() < 0.85 else ["email", "name"],
            "populations": None,
            "transfer_basis": [{"jurisdiction": "eu", "framework": "dpf"}] if rng.random() < 0.1 else [],
            "choice_period": rng.choice(_PERIODS),
            "valid_for": rng.choice((None, None, "P2D", "P5D")),
            "survives_erasure": False,
            "survives_restriction": rng.random() < 0.1,
        }
    )


def one_field_changed(rng: random.Random, before: Line, modes: tuple[str, ...]) -> Line:
    """The same terms with one field drawn anew; third parties stay in order with the mode."""
    field = rng.choice(("mode", "choice_period", "valid_for", "recipients", "replaces"))
    changed = before | {field: terms(rng, before["key"], modes)[field]}
    return mended(changed | {"recipients": [dict(each) for each in changed["recipients"]]})


def statuses(rng: random.Random) -> list[Line]:
    """Statuses of one framework, often from one and the same instant."""
    made: list[Line] = []
    for _ in range(rng.randint(0, 3)):
        fields = {"framework": "dpf", "in_force": rng.random() < 0.6, "from": day(rng.choice((0, 0, 3, 5)))}
        made.append(event_of(rng, _TENANT, "FrameworkStatusChanged", day(rng.choice(_DAYS[:6])), fields))
    return made


def history(rng: random.Random, individual: str, published: list[Line]) -> list[Line]:
    """The events of one individual, in no order."""
    made = [given for version in published for given in notices(rng, version)]
    if rng.random() < 0.3:
        made = waiting(rng, rng.choice([event for event in published if event["type"] == "PolicyAmended"]))
    made += [outcome(rng, each) for each in made if each["type"] == "NoticeGiven" and rng.random() < 0.3]
    made += [outcome(rng, each) for each in made if each["type"] == "NoticeOutcome" and rng.random() < 0.6]
    made += [choice(rng, published) for _ in range(rng.randint(1, 4))]
    made += [described(rng) for _ in range(rng.choice((1, 1, 1, 2)))]
    for make in (restriction, lifting, compulsion):
        made += [make(rng) for _ in range(rng.choice((0, 0, 0, 1)))]
    events: list[Line] = []
    for fields in made:
        recorded_at = day(fields.pop("day"))
        late = rng.choice((0, 0, 0, 1, 2)) * DAY
        own = {"individual": individual, "occurred_at": recorded_at - late}
        events.append(event_of(rng, _TENANT, fields["type"], recorded_at, own | fields))
    return events


def notices(rng: random.Random, version: Line) -> list[Line]:
    """No notice of a version, or one or two; none of what is no version."""
    if version["type"] != "PolicyAmended":
        return []
    return [
        {
            "type": "NoticeGiven",
            "day": rng.choice(_DAYS),
            "notice_id": rng.choice(("n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8")),
            "policy_id": _POLICY,
            "version": version["version"],
            "purposes": None if rng.random() < 0.9 else [_KEY],
            "choice_offered": rng.random() < 0.6,
            "at_collection": rng.random() < 0.15,
        }
        for _ in range(rng.choice((0, 1, 1, 1, 2)))
    ]


def waiting(rng: random.Random, version: Line) -> list[Line]:
    """A notice without a choice, a notice with one, and an opt-in before, with, between or after them."""
    first, second = sorted(rng.sample(_DAYS, 2))
    base = {"type": "NoticeGiven", "policy_id": _POLICY, "version": version["version"], "purposes": None}
    consent = {
        "type": "ChoiceMade",
        "decision": "opt_in",
        "purposes": [_KEY],
        "versions": {_POLICY: base["version"]},
    }
    between = rng.choice((max(first - 1, 0), first, (first + second) // 2, second))
    return [
        base | {"day": first, "notice_id": "n1", "choice_offered": False, "at_collection": False},
        base | {"day": second, "notice_id": "n2", "choice_offered": True, "at_collection": False},
        consent | {"day": between, "recipients": rng.choice((None, [_RECIPIENT]))},
    ]


def outcome(rng: random.Random, given: Line) -> Line:
    """An outcome of a notice, or a further one of the same notice."""
    what = rng.choice(("failed", "delivered", "delivered"))
    fields = {"type": "NoticeOutcome", "day": rng.choice(_DAYS), "outcome": what}
    return fields | {"notice_id": given["notice_id"]}


def choice(rng: random.Random, published: list[Line]) -> Line:
    """A choice on the purpose, or on the one that it replaces."""
    decision = rng.choice(("opt_in", "opt_in", "opt_out"))
    named = rng.choice([event["version"] for event in published if event["type"] == "PolicyAmended"])
    keys = [[_KEY], [_KEY], [_KEY], [_KEY, _OLD_KEY], [_OLD_KEY]]
    if decision == "opt_out":
        keys += [["*"], ["old"], ["club"]]
    return {
        "type": "ChoiceMade",
        "day": rng.choice(_DAYS),
        "decision": decision,
        "purposes": rng.choice(keys),
        "recipients": rng.choice((None, None, [_RECIPIENT])),
        "versions": {_POLICY: named} if rng.random() < 0.3 else None,
        "actor": {"kind": rng.choice(("individual", "individual", "guardian")), "id": "x"},
    }


def described(rng: random.Random) -> Line:
    """Who the individual is: a minor, or no longer; or nothing of it is said."""
    populations = rng.choice((None, [], ["minor"], ["minor"], ["minor"]))
    fields = {"type": "IndividualDescribed", "day": rng.choice(_DAYS[:5]), "populations": populations}
    return fields | {"jurisdiction": rng.choice((None, "eu", "us"))}


def restriction(rng: random.Random) -> Line:
    purposes = rng.choice((["old"], [_OLD_KEY], [_KEY]))
    return {
        "type": "ProcessingRestricted",
        "day": rng.choice(_DAYS),
        "restriction_id": "r1",
        "purposes": purposes,
    }


def lifting(rng: random.Random) -> Line:
    return {"type": "RestrictionLifted", "day": rng.choice(_DAYS), "restriction_id": "r1"}


def compulsion(rng: random.Random) -> Line:
    on = rng.choice(_DAYS[:6])
    return {
        "type": "DisclosureCompelled",
        "day": on,
        "recipient": _RECIPIENT,
        "purposes": rng.choice((None, ["club"], [_OLD_KEY])),
        "data": rng.choice((None, ["email"])),
        "from": day(on),
        "to": rng.choice((None, day(on + 2))),
        "legal_reference": "s. 1",
    }
