"""The amendments of a random tenant: two policies, whose versions change one thing or another, some void.

`histories.py` puts them on a calendar.
"""

import copy
import random
from typing import Any

Line = dict[str, Any]
"""One event, one terms, one question, with the names of the line format; instants may still be integers."""

KEYS = {
    "website": ["website", "website.email", "website.email.weekly", "website.ads"],
    "staff": ["hr", "hr.payroll", "hr.payroll.tax", "hrx"],
}
"""The purposes of each policy; `hrx` is no branch of `hr`."""
RECIPIENTS = ("adco", "payco", "cloudco")
DATA = ("email", "name", "salary", "address")
FRAMEWORKS = ("dpf", "scc")
JURISDICTIONS = ("eu", "ch", "us")
POPULATIONS = ("employee", "visitor", "minor", "prospect")
PERIOD_DAYS = (0, 2, 5, 7, 10)
"""The days of a choice period, a validity and a compulsion: they meet the days of the calendar."""

_FIRST = ("website", "staff")
_CHANGED = tuple(
    field
    for field, weight in {
        "mode": 3,
        "recipients": 2,
        "data": 1,
        "populations": 1,
        "transfer_basis": 1,
        "replaces": 2,
        "meaning": 2,
        "choice_period": 1,
        "valid_for": 1,
        "survives_erasure": 1,
        "survives_restriction": 1,
    }.items()
    for _ in range(weight)
)
_OTHER_MODES = {
    "necessary": ("opt_out", "opt_in"),
    "opt_out": ("necessary", "necessary", "opt_in"),
    "opt_in": ("necessary", "opt_out"),
}
_PERIODS = ("PT0S", "P2D", "PT48H", "P5D", "P1W", "P10D", "P10D")
_MODES = ("necessary", "opt_out", "opt_out", "opt_in", "opt_in", "opt_in")


def amendments(rng: random.Random, count: int) -> list[Line]:
    """The fields of `PolicyAmended` events in log order, without instants."""
    standing: dict[str, list[Line]] = {"website": [], "staff": []}
    made: list[Line] = []
    for place in range(count):
        policy_id = _FIRST[place] if place < len(_FIRST) else rng.choice(("website", "website", "staff"))
        before = standing[policy_id]
        purposes = next_purposes(rng, policy_id, [each["purposes"] for each in before])
        amendment = {"policy_id": policy_id, "version": len(before) + 1, "purposes": purposes, "title": None}
        if rng.random() < 0.15:
            claimed = [terms for each in standing[other(policy_id)] for terms in each["purposes"]]
            made.append(voided(rng, copy.deepcopy(amendment), claimed))
        else:
            made.append(amendment)
            before.append(amendment)
    return made


def next_purposes(rng: random.Random, policy_id: str, before: list[list[Line]]) -> list[Line]:
    """The terms of a policy's next version: amended, withdrawn, or as they were two versions ago."""
    if len(before) > 1 and rng.random() < 0.2:
        return copy.deepcopy(before[-2])
    if before and rng.random() < 0.08:
        return []
    declared = [purposes for purposes in before if purposes]
    return amended(rng, policy_id, declared[-1] if declared else None)


def other(policy_id: str) -> str:
    return "staff" if policy_id == "website" else "website"


def voided(rng: random.Random, amendment: Line, of_another: list[Line]) -> Line:
    """The amendment with one thing in it that makes it void."""
    purposes = amendment["purposes"]
    kinds = ["version"] + ["another's key"] * bool(of_another)
    kinds += ["third party", "key twice", "recipient twice"] if purposes else []
    kind = rng.choice(kinds)
    if kind == "version":
        amendment["version"] += rng.choice((-1, 1, 2))
    elif kind == "another's key":
        purposes.append(copy.deepcopy(rng.choice(of_another)))
    elif kind == "key twice":
        purposes.append(copy.deepcopy(purposes[0]))
    elif kind == "third party":
        purposes[-1]["recipients"] = [recipient("adco", "third_party", "necessary")]
    else:
        purposes[-1]["recipients"] = [recipient("adco", "agent", None), recipient("adco", "agent", "opt_in")]
    return amendment


def amended(rng: random.Random, policy_id: str, before: list[Line] | None) -> list[Line]:
    """The terms of a policy's next version."""
    if not before:
        keys = rng.sample(KEYS[policy_id], 3)
        return [mended(new_terms(rng, key)) for key in keys]
    kept = [copy.deepcopy(terms) for terms in before if rng.random() < 0.9]
    for terms in kept:
        if rng.random() < 0.4:
            change(rng, terms, rng.choice(_CHANGED))
    missing = [key for key in KEYS[policy_id] if key not in [terms["key"] for terms in kept]]
    if missing and rng.random() < 0.4:
        added = new_terms(rng, rng.choice(missing))
        added["replaces"] = rng.choice(([], [rng.choice(before)["key"]], [rng.choice(before)["key"]]))
        kept.append(added)
    return [mended(terms) for terms in kept]


def new_terms(rng: random.Random, key: str) -> Line:
    """Terms in which every field is written out."""
    names = rng.sample(RECIPIENTS, rng.choice((0, 1, 1, 2)))
    return {
        "key": key,
        "title": None,
        "meaning": 1,
        "replaces": rng.choice(([], [], [], ["old.thing"])),
        "mode": rng.choice(_MODES),
        "legal_basis": None,
        "recipients": [new_recipient(rng, name) for name in names],
        "data": rng.sample(DATA, rng.choice((0, 1, 2, 2, 3))),
        "populations": new_populations(rng),
        "transfer_basis": new_transfer_basis(rng) if rng.random() < 0.25 else [],
        "choice_period": rng.choice(_PERIODS),
        "valid_for": new_validity(rng),
        "survives_erasure": rng.random() < 0.15,
        "survives_restriction": rng.random() < 0.15,
    }


def new_validity(rng: random.Random) -> str | None:
    return rng.choice((None, "P2D", "P5D", "P10D"))


def new_populations(rng: random.Random) -> list[str] | None:
    """The populations that terms cover: mostly everyone, seldom nobody."""
    some = sorted({"minor", *rng.sample(POPULATIONS, 1)})
    return rng.choice((*[None] * 22, some, ["employee"], []))


def new_transfer_basis(rng: random.Random) -> list[Line]:
    """One or two frameworks, in an order that matters."""
    pairs = [{"jurisdiction": j, "framework": f} for j in JURISDICTIONS[:2] for f in FRAMEWORKS]
    return rng.sample(pairs, rng.randint(1, 2))


def recipient(name: str, role: str, mode: str | None) -> Line:
    return {"name": name, "role": role, "mode": mode}


def new_recipient(rng: random.Random, name: str) -> Line:
    """An agent or a third party, with a mode of its own or the purpose's."""
    return recipient(name, rng.choice(("agent", "third_party")), rng.choice((None, None, *_MODES)))


def mended(terms: Line) -> Line:
    """The same terms with no third party that is necessary, which would make the amendment void."""
    for each in terms["recipients"]:
        if each["role"] == "third_party" and (each["mode"] or terms["mode"]) == "necessary":
            each["mode"] = "opt_out"
    return terms


def change(rng: random.Random, terms: Line, field: str) -> None:
    """Change one field of the terms."""
    fresh = new_terms(rng, terms["key"])
    if field == "meaning":
        terms["meaning"] += 1
    elif field == "mode":
        terms["mode"] = rng.choice(_OTHER_MODES[terms["mode"]])
    elif field == "replaces":
        terms["replaces"] = rng.sample(
            ("old.thing", *KEYS["website"][2:], *KEYS["staff"][:2]), rng.randint(0, 2)
        )
    elif field == "data":
        terms["data"] = rng.choice((list(DATA), terms["data"][1:], fresh["data"]))
    elif field == "recipients" and terms["recipients"]:
        terms["recipients"] = [*terms["recipients"][:1], *other_recipients(rng, terms)]
    else:
        terms[field] = fresh[field]


def other_recipients(rng: random.Random, terms: Line) -> list[Line]:
    """At most one more recipient, that the terms do not name first."""
    names = [name for name in RECIPIENTS if name != terms["recipients"][0]["name"]]
    return [new_recipient(rng, name) for name in rng.sample(names, rng.randint(0, 1))]
