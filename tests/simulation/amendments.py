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
_CHANGED = (
    *(
        "mode",
        "mode",
        "recipients",
        "recipients",
        "data",
        "populations",
        "transfer_basis",
        "replaces",
        "replaces",
    ),
    *("meaning", "meaning", "choice_period", "valid_for", "survives_erasure", "survives_restriction"),
)
_PERIODS = ("PT0S", "P2D", "PT48H", "P5D", "P1W", "P10D")
_MODES = ("necessary", "opt_out", "opt_out", "opt_in", "opt_in", "opt_in")


def amendments(rng: random.Random, count: int) -> list[Line]:
    """The fields of `PolicyAmended` events in log order, without instants."""
    standing: dict[str, Line] = {}
    # What a policy declared last; a withdrawn policy may declare it again.
    last: dict[str, list[Line]] = {}
    made: list[Line] = []
    for place in range(count):
        policy_id = _FIRST[place] if place < len(_FIRST) else rng.choice(("website", "website", "staff"))
        version = standing[policy_id]["version"] + 1 if policy_id in standing else 1
        purposes = [] if version > 1 and rng.random() < 0.06 else amended(rng, policy_id, last.get(policy_id))
        amendment = {"policy_id": policy_id, "version": version, "purposes": purposes, "title": None}
        if rng.random() < 0.12:
            made.append(voided(rng, copy.deepcopy(amendment), [*last.get(other(policy_id), [])]))
        else:
            made.append(amendment)
            standing[policy_id] = amendment
            last[policy_id] = purposes or last.get(policy_id, [])
    return made


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
    kept = [copy.deepcopy(terms) for terms in before if rng.random() < 0.92]
    for terms in kept:
        if rng.random() < 0.3:
            change(rng, terms)
    missing = [key for key in KEYS[policy_id] if key not in [terms["key"] for terms in kept]]
    if missing and rng.random() < 0.25:
        added = new_terms(rng, rng.choice(missing))
        added["replaces"] = rng.choice(([], [rng.choice(before)["key"]]))
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
        "transfer_basis": new_transfer_basis(rng) if rng.random() < 0.12 else [],
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


def change(rng: random.Random, terms: Line) -> None:
    """Change one thing of the terms."""
    fresh = new_terms(rng, terms["key"])
    field = rng.choice(_CHANGED)
    if field == "meaning":
        terms["meaning"] += 1
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
