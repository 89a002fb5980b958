"""Small, dense worlds from a seed: a log of lines, and questions that fall on its edges.

`generate(rng)` returns the lines in log order and the questions, both as `choice-ledger import` and
`choice-ledger check` read them; the same generator state gives the same world. About half of the worlds are
wide, as made here; the others are those of `narrow_histories.py`. Days are drawn from a small set, and
periods are whole days, so that equal instants and ends that are met exactly are common.
"""

import random
from collections.abc import Callable

from tests.simulation.amendments import (
    DATA,
    FRAMEWORKS,
    JURISDICTIONS,
    KEYS,
    PERIOD_DAYS,
    POPULATIONS,
    RECIPIENTS,
    Line,
    amendments,
)
from tests.simulation.calendar_days import DAY, as_text, day, event_of
from tests.simulation.naive_decide import answer_at
from tests.simulation.naive_facts import instant, what_is_known
from tests.simulation.narrow_histories import narrow_streams
from tests.simulation.questions import question

QUESTIONS_A_WORLD = 40
QUESTIONS_DRAWN_A_WORLD = 120
LINES_A_WORLD_MAX = 60
EVENTS_AN_INDIVIDUAL_MAX = 17

_DAYS = (0, 1, 2, 3, 4, 5, 6, 8, 10, 11, 12, 14, 15, 17, 20, 22, 25, 30, 35, 40)
_DEFAULTS = (["medium", "api"], ["meaning", 1], ["role", "third_party"], ["choice_period", "PT0S"])
_NARROW = 0.55
_WEIGHTS = {
    "purpose_not_declared": 0.15,
    "not_told": 0.2,
    "recipient_not_declared": 0.3,
    "told_terms_differ": 0.5,
    "no_choice_offered": 0.3,
    "population_not_covered": 1.0,
    "restricted": 0.5,
    "choice_period_running": 3.0,
    "necessary": 2.0,
    "opted_in": 2.0,
    "not_opted_out": 2.0,
    "erased": 3.0,
    "consent_required": 2.0,
    "consent_expired": 6.0,
    "consent_predates_terms": 20.0,
    "consent_not_by_guardian": 20.0,
}
_TENANTS = ("acme", "b-2")
_INDIVIDUALS = ("ana", "Ana", "bo")
_ACTOR_KINDS = ("individual", "agent", "guardian", "officer", "service")


def generate(rng: random.Random) -> tuple[list[Line], list[Line]]:
    """One world: at most `LINES_A_WORLD_MAX` lines in log order, and `QUESTIONS_A_WORLD` questions."""
    streams = narrow_streams(rng) if rng.random() < _NARROW else wide_streams(rng)
    ordered = [in_log_order(rng, stream) for stream in streams]
    log = interleaved(rng, *ordered)[:LINES_A_WORLD_MAX]
    lines = [line_of(rng, event) for event in log]
    drawn = [as_text(question(rng, log)) for _ in range(QUESTIONS_DRAWN_A_WORLD)]
    return lines, balanced(rng, lines, drawn)


def balanced(rng: random.Random, lines: list[Line], drawn: list[Line]) -> list[Line]:
    """`QUESTIONS_A_WORLD` of the questions drawn, rather those that the seldom reasons answer.

    Only the choice among the questions rests on the plain decision; it leaves each of them a chance.
    """
    ranked: list[tuple[float, int]] = []
    for place, each in enumerate(drawn):
        reason = answer_at(what_is_known(lines, each), each, instant(each["at"]))["reason"]
        ranked.append((rng.random() ** (1 / _WEIGHTS.get(reason, 1.0)), place))
    return [drawn[place] for _, place in sorted(ranked)[-QUESTIONS_A_WORLD:]]


def wide_streams(rng: random.Random) -> tuple[list[Line], list[Line]]:
    """The policies stream and the individuals stream of one tenant or two, not yet in log order."""
    policies: list[Line] = []
    individuals: list[Line] = []
    for tenant in _TENANTS if rng.random() < 0.25 else _TENANTS[:1]:
        published = tenant_events(rng, tenant)
        policies += published
        for individual in rng.sample(_INDIVIDUALS, rng.choice((1, 1, 2))):
            individuals += individual_events(rng, tenant, individual, published)
    return policies, individuals


# --- Lines -------------------------------------------------------------------------------------------------


def line_of(rng: random.Random, event: Line) -> Line:
    """The event as a line, type first, with some of what may be left out left out."""
    terms_lists = {"purposes"} if event["type"] == "PolicyAmended" else set()
    line = {field: value for field, value in as_text(event).items() if not may_leave_out(rng, field, value)}
    for field in terms_lists & line.keys():
        line[field] = [spelled_terms(rng, terms) for terms in line[field]]
    return line


def may_leave_out(rng: random.Random, field: str, value: object) -> bool:
    """Whether to leave a field out: only where null, false or the default says the same."""
    is_default = value is None or value is False or [field, value] in _DEFAULTS
    is_required = field in ("in_force", "type", "individual")
    return is_default and not is_required and rng.random() < 0.5


def spelled_terms(rng: random.Random, terms: Line) -> Line:
    """Terms with some defaults left out; a list that may be null is left out only where it is null."""
    emptied = {field for field in ("replaces", "recipients", "data", "transfer_basis") if terms[field] == []}
    kept = {
        field: value
        for field, value in terms.items()
        if not may_leave_out(rng, field, value) and not (field in emptied and rng.random() < 0.5)
    }
    if "recipients" in kept:
        kept["recipients"] = [spelled_recipient(rng, each) for each in kept["recipients"]]
    return kept


def spelled_recipient(rng: random.Random, recipient: Line) -> Line:
    """A recipient with some defaults left out."""
    return {field: value for field, value in recipient.items() if not may_leave_out(rng, field, value)}


def in_log_order(rng: random.Random, events: list[Line]) -> list[Line]:
    """One stream: by `recorded_at`; of equal ones amendments alone keep the order they were made in."""
    places = {
        event["event_id"]: place if event["type"] == "PolicyAmended" else rng.uniform(0, len(events))
        for place, event in enumerate(events)
    }
    ordered = sorted(events, key=lambda event: (event["recorded_at"], places[event["event_id"]]))
    return with_repeats(rng, ordered) if rng.random() < 0.5 else ordered


def with_repeats(rng: random.Random, stream: list[Line]) -> list[Line]:
    """The stream with an event id or two standing twice, with the same content or with other content."""
    for _ in range(rng.randint(1, 2)):
        if stream:
            first = rng.choice(stream)
            same = rng.random() < 0.5
            other = first if same else rng.choice(stream)
            later = max(first["recorded_at"], other["recorded_at"]) + rng.choice((0, DAY))
            again = other | {"event_id": first["event_id"], "recorded_at": later}
            place = sum(1 for event in stream if event["recorded_at"] <= later)
            stream = [*stream[:place], again, *stream[place:]]
    return stream


def interleaved(rng: random.Random, left: list[Line], right: list[Line]) -> list[Line]:
    """Two streams in one log: each keeps its order, and between them there is none."""
    turns = [True] * len(left) + [False] * len(right)
    rng.shuffle(turns)
    lefts, rights = iter(left), iter(right)
    return [next(lefts if turn else rights) for turn in turns]


# --- The policies of a tenant ------------------------------------------------------------------------------


def tenant_events(rng: random.Random, tenant: str) -> list[Line]:
    """The policies stream of one tenant, not yet in log order between equal instants."""
    recorded = [day(0), day(0), *sorted(day(rng.choice(_DAYS[:15])) for _ in range(rng.randint(0, 4)))]
    events = [
        event_of(rng, tenant, "PolicyAmended", at, amended | {"effective_at": effective(rng, at)})
        for at, amended in zip(recorded, amendments(rng, len(recorded)), strict=True)
    ]
    events += [status(rng, tenant, day(0), True) for _ in range(rng.randint(1, 2))]
    for _ in range(rng.randint(0, 3)):
        like = rng.choice([event for event in events if event["type"] == "FrameworkStatusChanged"])
        events.append(status(rng, tenant, day(rng.choice(_DAYS)), rng.random() < 0.5))
        if rng.random() < 0.3:
            events[-1] |= {"framework": like["framework"], "from": like["from"]}
    if rng.random() < 0.2:
        waived = {"what": "min.insync.replicas", "why": "one broker"}
        events.append(event_of(rng, tenant, "SafeguardWaived", day(0), waived))
    return events


def effective(rng: random.Random, recorded_at: int) -> int:
    """When a version takes effect: mostly at once, sometimes as scheduled, sometimes (imported) before."""
    return recorded_at + rng.choice((0, 0, 0, 0, 0, 0, 2, 5, -3)) * DAY


def status(rng: random.Random, tenant: str, recorded_at: int, in_force: bool) -> Line:
    """A framework status: from its recording, before it or after it."""
    fields = {
        "framework": rng.choice(FRAMEWORKS),
        "in_force": in_force,
        "from": recorded_at + rng.choice((0, 0, 0, -2, 5, 10)) * DAY,
    }
    return event_of(rng, tenant, "FrameworkStatusChanged", recorded_at, fields)


# --- The history of an individual --------------------------------------------------------------------------


def individual_events(rng: random.Random, tenant: str, individual: str, published: list[Line]) -> list[Line]:
    """The events of one individual, in no order."""
    versions = [event for event in published if event["type"] == "PolicyAmended"]
    made: list[Line] = [described(rng, day(rng.choice(_DAYS[:3])))] if rng.random() < 0.8 else []
    made += notices(rng, versions)
    for _ in range(rng.randint(2, 4)):
        made.append(choice(rng, versions, [fields for fields in made if fields["type"] == "NoticeGiven"]))
        if rng.random() < 0.2:
            made.append(opposite(rng, made[-1]))
    made += outcomes(rng, made, 0.3)
    for make, chance in _SELDOM:
        if rng.random() < chance:
            made += make(rng)
    events = [entered(rng, tenant, individual, fields) for fields in made]
    return rng.sample(events, min(len(events), EVENTS_AN_INDIVIDUAL_MAX))


def entered(rng: random.Random, tenant: str, individual: str, fields: Line) -> Line:
    """An event of an individual; where the fields hold no earlier `occurred_at`, it may be a late letter."""
    recorded_at = fields.pop("recorded_at")
    event = event_of(rng, tenant, fields["type"], recorded_at, {"individual": individual} | fields)
    late = {"ChoiceMade": 0.35, "IndividualErased": 0.0}
    if "occurred_at" not in fields and rng.random() < late.get(event["type"], 0.15):
        event |= {"occurred_at": recorded_at - rng.choice((1, 2, 5)) * DAY, "medium": "mail"}
    if rng.random() < 0.5:
        event["actor"] = {"kind": rng.choice(_ACTOR_KINDS), "id": "x"}
    return event


def described(rng: random.Random, at: int) -> Line:
    """Who the individual is: a part of it may be left as it was."""
    populations = rng.choice(
        (
            None,
            [],
            ["minor"],
            ["minor"],
            ["minor", "visitor"],
            ["minor", "employee"],
            rng.sample(POPULATIONS, 2),
        )
    )
    jurisdiction = rng.choice((None, *JURISDICTIONS))
    fields = {"type": "IndividualDescribed", "recorded_at": at, "locale": None}
    return fields | {"populations": populations, "jurisdiction": jurisdiction}


def notices(rng: random.Random, versions: list[Line]) -> list[Line]:
    """Notices of most versions, soon after they were published, and now and then of another one."""
    found: list[Line] = []
    for version in versions:
        if rng.random() < 0.8:
            at = version["recorded_at"] + rng.choice((0, 0, 0, 1, 2)) * DAY
            found.append(notice(rng, version, at))
    if rng.random() < 0.3:
        found.append(notice(rng, rng.choice(versions), day(rng.choice(_DAYS))))
    if rng.random() < 0.2:
        found.append(notice(rng, rng.choice(versions) | {"version": 9}, day(rng.choice(_DAYS))))
    return found


def notice(rng: random.Random, version: Line, at: int) -> Line:
    """A notice of one version: of the whole, or of some of its purposes, or of none."""
    keys = [terms["key"] for terms in version["purposes"]]
    whole = not keys or rng.random() < 0.8
    return {
        "type": "NoticeGiven",
        "recorded_at": at,
        "notice_id": rng.choice(("n1", "n2", "n3", "n4", "n5", "n6")),
        "policy_id": version["policy_id"],
        "version": version["version"],
        "purposes": None if whole else rng.sample(keys, rng.randint(0, len(keys))),
        "choice_offered": rng.random() < 0.7,
        "at_collection": rng.random() < 0.25,
    }


def outcomes(rng: random.Random, made: list[Line], chance: float) -> list[Line]:
    """Outcomes of some notices, before them, with them or after them, in any order."""
    found: list[Line] = []
    for given in made:
        if given["type"] == "NoticeGiven" and rng.random() < chance:
            for _ in range(rng.randint(1, 4)):
                at = max(given["recorded_at"] + rng.choice((-1, 0, 1, 2, 5)) * DAY, day(0))
                outcome = rng.choice(("failed", "delivered", "delivered"))
                fields = {"notice_id": given["notice_id"], "outcome": outcome, "detail": None}
                found.append({"type": "NoticeOutcome", "recorded_at": at} | fields)
    return found


def choice(rng: random.Random, versions: list[Line], notices: list[Line]) -> Line:
    """An opt-in or an opt-out, often early, when little was told, or close to a notice."""
    at = day(rng.choice(_DAYS[:4]) if rng.random() < 0.4 else rng.choice(_DAYS))
    if notices and rng.random() < 0.4:
        at = max(day(0), rng.choice(notices)["recorded_at"] + rng.choice((-1, 0, 0, 1)) * DAY)
    declared = [terms for version in versions for terms in version["purposes"]]
    opts_in = declared and rng.random() < 0.6
    fields = (
        opt_in(rng, versions, declared) if opts_in else opt_out(rng, [terms["key"] for terms in declared])
    )
    return {"type": "ChoiceMade", "recorded_at": at, "evidence": None} | fields


def opposite(rng: random.Random, choice: Line) -> Line:
    """The opposite of a choice, made at the same instant and recorded then or later."""
    exact = [key for key in choice["purposes"] if any(key in keys for keys in KEYS.values())]
    decision = "opt_in" if choice["decision"] == "opt_out" and exact else "opt_out"
    later = {"recorded_at": choice["recorded_at"] + rng.choice((0, 1, 2)) * DAY}
    purposes = exact if decision == "opt_in" else choice["purposes"]
    same = {
        "occurred_at": choice["recorded_at"],
        "decision": decision,
        "purposes": purposes,
        "versions": None,
    }
    choice["occurred_at"] = choice["recorded_at"]
    return choice | later | same


def opt_in(rng: random.Random, versions: list[Line], declared: list[Line]) -> Line:
    """An opt-in to declared purposes, seldom by the version that the individual had before them."""
    asking = [terms for terms in declared if terms["mode"] == "opt_in" or rng.random() < 0.3] or declared
    about = rng.sample(asking, rng.randint(1, min(3, len(asking))))
    names = sorted({each["name"] for terms in about for each in terms["recipients"]})
    named = {version["policy_id"]: rng.choice((1, version["version"], 9)) for version in versions}
    return {
        "decision": "opt_in",
        "purposes": sorted({terms["key"] for terms in about}),
        "recipients": recipients(rng, names),
        "versions": named if rng.random() < 0.35 else None,
    }


def opt_out(rng: random.Random, keys: list[str]) -> Line:
    """An opt-out of keys, branches or everything, for everyone or for some recipients."""
    exact = keys and rng.random() < 0.4
    return {
        "decision": "opt_out",
        "purposes": [rng.choice(keys)] if exact else selectors(rng),
        "recipients": recipients(rng, list(RECIPIENTS)),
        "versions": None,
    }


def recipients(rng: random.Random, names: list[str]) -> list[str] | None:
    """The recipients that a choice names: null, none, or some of the names."""
    if rng.random() < 0.45:
        return None
    return rng.sample(names, rng.randint(1, len(names))) if names and rng.random() < 0.95 else []


def selectors(rng: random.Random) -> list[str]:
    """Selectors of an opt-out or an exception: keys, branches, near misses, or everything."""
    every = ["*", "hr", "website", "web", "hr.pay", "old", *KEYS["website"], *KEYS["staff"]]
    return rng.sample(every, rng.choice((0, 1, 1, 1, 2)))


def describes_again(rng: random.Random) -> list[Line]:
    return [described(rng, day(rng.choice(_DAYS[3:])))]


def restriction(rng: random.Random) -> list[Line]:
    """A restriction, and often its lifting, which may come before it."""
    at = day(rng.choice(_DAYS[2:]))
    purposes = rng.choice((None, selectors(rng), selectors(rng), selectors(rng)))
    lifted_at = max(at + rng.choice((-2, 0, 2, 5, 10)) * DAY, day(0))
    restricted = {
        "type": "ProcessingRestricted",
        "recorded_at": at,
        "restriction_id": "r1",
        "purposes": purposes,
    }
    lifted = {
        "type": "RestrictionLifted",
        "recorded_at": lifted_at,
        "restriction_id": rng.choice(("r1", "r2")),
    }
    return [restricted, lifted] if rng.random() < 0.7 else [restricted]


def compulsion(rng: random.Random) -> list[Line]:
    """A disclosure that the law compels."""
    at = day(rng.choice(_DAYS[:12]))
    start = at + rng.choice((-2, 0, 0, 2)) * DAY
    fields = {
        "type": "DisclosureCompelled",
        "recorded_at": at,
        "recipient": rng.choice((*RECIPIENTS, "court")),
        "purposes": rng.choice((None, ["*"], selectors(rng))),
        "data": rng.choice((None, None, [], rng.sample(DATA, 3))),
        "from": start,
        "to": rng.choice((None, start + rng.choice(PERIOD_DAYS) * DAY)),
        "legal_reference": "s. 1",
    }
    return [fields]


def erasure(rng: random.Random) -> list[Line]:
    return [{"type": "IndividualErased", "recorded_at": day(rng.choice(_DAYS[7:])), "reason": "asked"}]


def irrelevant(rng: random.Random) -> list[Line]:
    """Events that change no decision."""
    at = day(rng.choice(_DAYS))
    every: tuple[Line, ...] = (
        {"type": "ChoiceApplied", "service": "mailer", "applied": "AA"},
        {"type": "MandateGiven", "mandate_id": "m1", "holder": "parent", "kind": "guardian"},
        {"type": "MandateEnded", "mandate_id": "m1", "holder": "g1", "kind": "guardian"},
        {"type": "IndividualsLinked", "other": "bo"},
        {"type": "IndividualsUnlinked", "other": "bo"},
        {
            "type": "RequestOpened",
            "request_id": "q1",
            "kind": "objection",
            "stage": "open",
            "due_at": at + DAY,
        },
        {"type": "ComplaintOpened", "complaint_id": "c1", "stage": "open", "due_at": at, "about": "website"},
        {"type": "PersonalDataRead", "field": "email", "purpose": "website.email"},
    )
    return [each | {"recorded_at": at} for each in rng.sample(every, rng.randint(1, 2))]


_SELDOM: tuple[tuple[Callable[[random.Random], list[Line]], float], ...] = (
    (describes_again, 0.3),
    (restriction, 0.3),
    (compulsion, 0.5),
    (erasure, 0.15),
    (irrelevant, 0.3),
)
