"""One question at one instant: its terms, its data, its notices and what they cover.

It belongs to the plain second implementation of the decision, in `naive_decide.py`.
"""

from dataclasses import dataclass

from tests.simulation.naive_facts import Known, Line, in_force_at, mode_for, terms_of

STRICTNESS = {"necessary": 0, "opt_out": 1, "opt_in": 2}
"""The order of the modes: "`necessary` < `opt_out` < `opt_in`"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question at one instant, with what the steps of the decision look at."""

    t: int
    purpose: str
    recipient: str | None
    data: frozenset[str]
    """`D`: the data asked for, or all that the terms in force declare."""
    versions: list[Line]
    """The standing versions of the policy that declares the purpose; empty where none does."""
    in_force: Line | None
    """The one of them that is in force at t."""
    terms: Line | None
    """The terms in force."""
    statuses: list[Line]
    happened: list[Line]
    """The individual's events up to t, in the individual's order."""
    outcomes: list[Line]
    """The individual's notice outcomes, whatever t, in the individual's order."""


def case_at(known: Known, question: Line, t: int) -> Case:
    """The question at t, and what bears on it."""
    purpose = question["purpose"]
    # No two policies have standing versions that declare one key: at most one policy declares the purpose.
    owners = {v["policy_id"] for v in known.versions if terms_of(v, purpose) is not None}
    versions = [v for v in known.versions if v["policy_id"] in owners]
    in_force = in_force_at(versions, t)
    # § "*Terms in force*: the purpose's terms in the version in force at t of the policy that declares it."
    terms = terms_of(in_force, purpose)
    # § "Empty means all that the terms in force declare (none, where there are no terms)"
    data = question.get("data") or (terms or {}).get("data") or []
    return Case(
        t=t,
        purpose=purpose,
        recipient=question.get("recipient"),
        data=frozenset(data),
        versions=versions,
        in_force=in_force,
        terms=terms,
        statuses=known.statuses,
        # § "Events of the individual with `occurred_at > t` have not happened yet and are left out
        # (NoticeOutcome excepted)."
        happened=[event for event in known.events if event["occurred_at"] <= t],
        outcomes=[event for event in known.events if event["type"] == "NoticeOutcome"],
    )


def keys_of(case: Case) -> list[str]:
    """The purpose's key, and the keys "that the terms in force replace"."""
    return [case.purpose, *((case.terms or {}).get("replaces") or [])]


def jurisdiction_of(case: Case) -> str | None:
    """The individual's jurisdiction at t; null where it is not recorded."""
    # § "**IndividualDescribed** sets `jurisdiction` and `populations`; each has the value of the last event
    # in which it is not null."
    jurisdiction: str | None = None
    for event in happened(case, "IndividualDescribed"):
        if event.get("jurisdiction") is not None:
            jurisdiction = event["jurisdiction"]
    return jurisdiction


def populations_of(case: Case) -> set[str]:
    """The populations that the individual belongs to at t: see `jurisdiction_of`."""
    populations: set[str] = set()
    for event in happened(case, "IndividualDescribed"):
        if event.get("populations") is not None:
            populations = set(event["populations"])
    return populations


def happened(case: Case, event_type: str) -> list[Line]:
    """The individual's events of one type up to t, in the individual's order."""
    return [event for event in case.happened if event["type"] == event_type]


def includes_recipient(terms: Line, recipient: str | None) -> bool:
    """Whether terms include the recipient asked for; own use asks for none."""
    return recipient is None or recipient in [each["name"] for each in terms.get("recipients") or []]


def declare(case: Case, terms: Line | None) -> bool:
    """Whether terms declare the question."""
    # § "Terms *declare the question* if they have the same `meaning` as the terms in force, include the
    # recipient asked for, and `D ⊆ data`."
    if terms is None or case.terms is None:
        return False
    same_meaning = (terms.get("meaning") or 1) == (case.terms.get("meaning") or 1)
    has_data = case.data <= set(terms.get("data") or [])
    return same_meaning and has_data and includes_recipient(terms, case.recipient)


def version_numbered(case: Case, number: int) -> Line | None:
    """The version of the policy with that number; none where it does not stand or is not known at k."""
    for version in case.versions:
        if version["version"] == number:
            return version
    return None


def counts_from(case: Case, notice: Line) -> int | None:
    """The instant from which a notice counts; none where it does not count at all."""
    outcomes = [each for each in case.outcomes if each["notice_id"] == notice["notice_id"]]
    failed = [place for place, each in enumerate(outcomes) if each["outcome"] == "failed"]
    # § "A notice *counts from* its `occurred_at`;"
    if not failed:
        return int(notice["occurred_at"])
    # § "if a `failed` is known at k, from the `occurred_at` (or its own, if later) of the first `delivered`
    # after the last `failed`, in the order of an individual's events, and not at all where there is none."
    for each in outcomes[failed[-1] + 1 :]:
        return max(int(each["occurred_at"]), int(notice["occurred_at"]))
    return None


def notices_of(case: Case) -> list[tuple[int, Line]]:
    """The notices of step 5, each with the instant it counts from, in their order."""
    policy_ids = {version["policy_id"] for version in case.versions}
    found: list[tuple[int, Line]] = []
    for notice in happened(case, "NoticeGiven"):
        start = counts_from(case, notice)
        version = version_numbered(case, notice["version"])
        # § "Take the notices of that policy that count from t or before, whose version, where it stands and
        # is known at k, has `effective_at ≤ t`, and whose `purposes` is null or names the purpose;"
        if (
            notice["policy_id"] in policy_ids
            and (start is not None and start <= case.t)
            and (version is None or version["effective_at"] <= case.t)
            and (notice.get("purposes") is None or case.purpose in notice["purposes"])
        ):
            found.append((start, notice))
    # § "in the order of the instants they count from, then `(recorded_at, event_id)`"
    return sorted(found, key=lambda each: (each[0], each[1]["recorded_at"], each[1]["event_id"]))


def told_terms(case: Case, notices: list[tuple[int, Line]]) -> Line | None:
    """The told terms of the governing notice: "The *governing* notice is the last"."""
    return terms_told(case, notices[-1][1]) if notices else None


def terms_told(case: Case, notice: Line) -> Line | None:
    """The told terms of a notice."""
    # § "*Told terms* are the purpose's terms in a notice's version."
    return terms_of(version_numbered(case, notice["version"]), case.purpose)


def covers(case: Case, notice: Line) -> bool:
    """Whether a notice covers the question."""
    # § "A notice **covers** the question if its version m stands and its told terms declare the question,"
    if not declare(case, terms_told(case, notice)):
        return False
    # § "and so does every version of the policy above m that was in force at any instant up to t"
    above = [v for v in case.versions if v["version"] > notice["version"] and was_in_force(case, v)]
    return all(declare(case, terms_of(version, case.purpose)) for version in above)


def was_in_force(case: Case, version: Line) -> bool:
    """Whether a version was in force at any instant up to t: then it was so when it took effect."""
    start = version["effective_at"]
    return bool(start <= case.t) and in_force_at(case.versions, start) is version


def run_of(case: Case, notices: list[tuple[int, Line]]) -> list[tuple[int, Line]]:
    """The run."""
    # § "The *run* is the unbroken series of covering notices that ends with the governing one."
    run: list[tuple[int, Line]] = []
    for start, notice in reversed(notices):
        if not covers(case, notice):
            break
        run.insert(0, (start, notice))
    return run


def mode_that_applies(case: Case, notices: list[tuple[int, Line]]) -> str:
    """The mode that applies."""
    # § "The **mode that applies** is the stricter of the terms in force and the governing told terms, each
    # for this recipient (own use: the purpose's)."
    both = [terms for terms in (case.terms, told_terms(case, notices)) if terms is not None]
    return max((mode_for(terms, case.recipient) for terms in both), key=STRICTNESS.__getitem__)
