"""A second implementation of the decision, as plain as it can be, to hold the first one to.

It reads the same lines that `choice-ledger export` writes and recomputes everything from them for every
question. It shares no code with the ledger and imports only the standard library, so that a
misreading has to be made twice, by two pens, before it goes unseen. The sentence that a piece of code
implements stands above it as a comment, after the sign §.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.simulation.naive_case import (
    Case,
    case_at,
    declare,
    happened,
    includes_recipient,
    jurisdiction_of,
    keys_of,
    mode_that_applies,
    notices_of,
    populations_of,
    run_of,
    terms_told,
    version_numbered,
)
from tests.simulation.naive_facts import (
    Known,
    Line,
    duration,
    in_force_at,
    instant,
    instant_text,
    mode_for,
    selects,
    terms_of,
    what_is_known,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What the going through of the choices found."""

    applied: Line | None
    """The choice that applies."""
    passed: Line | None
    """The latest opt-in that was passed over for giving no consent."""
    code: str | None
    """Why it gave none."""
    objection: Line | None
    """The latest objection that was passed over."""


def decide(lines: list[Line], question: Line) -> Line:
    """Answer a question of the `check` format from the whole log, in log order, as a dict.

    To the fields of a decision it adds `beside`: the codes that a compelled disclosure overrides, and
    the id of an objection to a necessary use.
    """
    known = what_is_known(lines, question)
    t = instant(question["at"])
    answer = answer_at(known, question, t)
    change = first_change(known, question, t, answer)
    return answer | {"until": None if change is None else instant_text(change)}


def first_change(known: Known, question: Line, t: int, answer: Line) -> int | None:
    """Decide anew at every instant after t at which anything could change; return the first change."""
    # § "`until`: an instant after t such that `permitted` and `reason` stay the same at every instant from t
    # up to (not including) it, if nothing is recorded after k; null if they never change."
    for later in sorted({i for i in instants(known, question["purpose"]) if i > t}):
        if answer_at(known, question, later)["reason"] != answer["reason"]:
            return later  # A reason is permitted always or never, so it is enough to compare reasons.
    return None


def instants(known: Known, purpose: str) -> Iterator[int]:
    """Every instant at which the answer for the purpose could change."""
    for line in [*known.versions, *known.statuses, *known.events]:
        for field in ("occurred_at", "effective_at", "from", "to"):
            if line.get(field) is not None:
                yield line[field]
    terms = [found for version in known.versions if (found := terms_of(version, purpose)) is not None]
    for event in known.events:
        for each in terms:
            if event["type"] in ("NoticeGiven", "NoticeOutcome"):
                yield event["occurred_at"] + duration(each.get("choice_period"))
            if event["type"] == "ChoiceMade":
                yield event["occurred_at"] + duration(each.get("valid_for"))


def answer_at(known: Known, question: Line, t: int) -> Line:
    """The decision at t, without `until`."""
    case = case_at(known, question, t)
    # § "The decision, in this order; the first that applies answers"
    return (
        required_by_law(case)
        or erased(case)
        or restricted(case)
        or declared(case)
        or told(case)
        or chosen(case)
    )


def answer(case: Case, permitted: bool, reason: str, evidence: list[Line | None]) -> Line:
    """A decision, its evidence in the order given, each event once."""
    # § "`policy`: id and version, in force at t, of the policy that declares the purpose; else null. Set for
    # every reason."
    version = case.in_force
    policy = None if version is None else {"id": version["policy_id"], "version": version["version"]}
    return {
        "permitted": permitted,
        "reason": reason,
        "policy": policy,
        "evidence": list(dict.fromkeys(event["event_id"] for event in evidence if event is not None)),
        "beside": {"overrides": [], "objection": None},
    }


def required_by_law(case: Case) -> Line | None:
    """Step 1."""
    # § "it never covers own use"
    if case.recipient is None:
        return None
    for event in happened(case, "DisclosureCompelled"):
        # § "A DisclosureCompelled names this recipient, its selectors cover the purpose's key, `from ≤ t <
        # to`, and its `data` is null or includes D."
        if (
            event["recipient"] == case.recipient
            and (event.get("purposes") is None or selects(event["purposes"], case.purpose))
            and event["from"] <= case.t
            and (event.get("to") is None or case.t < event["to"])
            and (event.get("data") is None or case.data <= set(event["data"]))
        ):
            found = answer(case, True, "required_by_law", [event])
            return found | {"beside": {"overrides": overridden(case), "objection": None}}
    return None


def overridden(case: Case) -> list[str]:
    """The codes that a compelled disclosure overrides."""
    # § "What it overrides (erased, restricted, opted out) is reported beside the answer."
    codes = [found["reason"] for found in (erased(case), restricted(case)) if found is not None]
    notices = notices_of(case)
    # Where there are no terms in force, nothing makes the use necessary, and an opt-out applies.
    mode = mode_that_applies(case, notices) if case.terms else "opt_in"
    applied = go_through_choices(case, mode, notices).applied
    return [*codes, "opted_out"] if applied is not None and applied["decision"] == "opt_out" else codes


def erased(case: Case) -> Line | None:
    """Step 2."""
    # § "`erased` → denied, unless the terms in force say `survives_erasure`."
    if (case.terms or {}).get("survives_erasure"):
        return None
    for event in happened(case, "IndividualErased"):
        return answer(case, False, "erased", [event])
    return None


def restricted(case: Case) -> Line | None:
    """Step 3."""
    # § "unless the terms in force say `survives_restriction`"
    if (case.terms or {}).get("survives_restriction"):
        return None
    # § "`RestrictionLifted` (that id: over from its `occurred_at` on, whatever the order)"
    over = {event["restriction_id"] for event in happened(case, "RestrictionLifted")}
    for event in happened(case, "ProcessingRestricted"):
        # § "A restriction's selectors cover the purpose's key, or a key that the terms in force replace, and
        # it is not over"
        selectors = ["*"] if event.get("purposes") is None else event["purposes"]
        if event["restriction_id"] not in over and any(selects(selectors, key) for key in keys_of(case)):
            return answer(case, False, "restricted", [event])
    return None


def declared(case: Case) -> Line | None:
    """Step 4."""
    # § "no terms in force → `purpose_not_declared`"
    if case.terms is None:
        return answer(case, False, "purpose_not_declared", [case.in_force])
    # § "`populations` is not null and none of the individual's is among them → `population_not_covered`"
    populations = case.terms.get("populations")
    if populations is not None and not set(populations) & populations_of(case):
        return answer(case, False, "population_not_covered", [case.in_force])
    # § "a recipient is asked for and is not among `recipients` → `recipient_not_declared`"
    if not includes_recipient(case.terms, case.recipient):
        return answer(case, False, "recipient_not_declared", [case.in_force])
    # § "data asked for is not a subset of `data` → `data_not_declared`"
    if not case.data <= set(case.terms.get("data") or []):
        return answer(case, False, "data_not_declared", [case.in_force])
    return transfer_basis_lapsed(case, case.terms)


def transfer_basis_lapsed(case: Case, terms: Line) -> Line | None:
    """The last part of step 4."""
    jurisdiction = jurisdiction_of(case)
    for basis in terms.get("transfer_basis") or []:
        # § "a framework that `transfer_basis` lists for the individual's jurisdiction (each framework listed,
        # if theirs is not recorded) is not in force at t → `transfer_basis_lapsed`"
        if jurisdiction is None or basis["jurisdiction"] == jurisdiction:
            status = status_at(case, basis["framework"])
            if status is None or not status["in_force"]:
                return answer(case, False, "transfer_basis_lapsed", [status or case.in_force])
    return None


def status_at(case: Case, framework: str) -> Line | None:
    """The event that decides a framework's status at t; none: "with none it is not in force"."""
    # § "its status at t is that of the greatest `from ≤ t`, of equal ones the one not in force"
    deciding: Line | None = None
    for status in case.statuses:
        if status["framework"] == framework and status["from"] <= case.t:
            rank = (status["from"], not status["in_force"])
            if deciding is None or rank > (deciding["from"], not deciding["in_force"]):
                deciding = status
    return deciding


def told(case: Case) -> Line | None:
    """Step 5."""
    notices = notices_of(case)
    # § "no such notice → `not_told`"
    if not notices:
        return answer(case, False, "not_told", [case.in_force])
    governing = notices[-1][1]
    run = run_of(case, notices)
    # § "the governing notice does not cover the question → `told_terms_differ`"
    if not run:
        return answer(case, False, "told_terms_differ", [case.in_force, governing])
    # § "If it is not `necessary`:"
    mode = mode_that_applies(case, notices)
    if mode == "necessary":
        return None
    # § "no notice of the run offered a choice → `no_choice_offered`"
    offers = [(start, notice) for start, notice in run if notice.get("choice_offered")]
    if not offers:
        return answer(case, False, "no_choice_offered", [case.in_force, governing])
    # § "Let f be the run's first notice that offered a choice."
    if may_begin(case, offers[0], governing) or opted_in_since(case, mode, notices, run[0][0]):
        return None
    # § "Before that → `choice_period_running`"
    return answer(case, False, "choice_period_running", [case.in_force, governing, offers[0][1]])


def may_begin(case: Case, offer: tuple[int, Line], governing: Line) -> bool:
    """Whether the first notice that offered a choice lets the use begin by itself."""
    # § "Unless f is `at_collection`, the use may begin only when f's `choice_period` (of its told terms, or
    # of the governing ones if longer) has passed since f counts"
    start, notice = offer
    told_by = [terms_told(case, notice) or {}, terms_told(case, governing) or {}]
    period = max(duration(terms.get("choice_period")) for terms in told_by)
    return bool(notice.get("at_collection")) or start + period <= case.t


def opted_in_since(case: Case, mode: str, notices: list[tuple[int, Line]], start: int) -> bool:
    """Whether an opt-in lets the use begin before the choice period has passed."""
    # § "or when the choice that applies (6) is an opt-in with `occurred_at` no earlier than the instant from
    # which the run's first notice counts"
    applied = go_through_choices(case, mode, notices).applied
    return applied is not None and applied["decision"] == "opt_in" and bool(applied["occurred_at"] >= start)


def chosen(case: Case) -> Line:
    """Step 6."""
    notices = notices_of(case)
    mode = mode_that_applies(case, notices)
    found = go_through_choices(case, mode, notices)
    evidence = [case.in_force, notices[-1][1]]
    # § "What applies answers: opt-out → `opted_out`; opt-in → permitted, `opted_in`."
    if found.applied is not None:
        permitted = found.applied["decision"] == "opt_in"
        return answer(case, permitted, "opted_in" if permitted else "opted_out", [*evidence, found.applied])
    # § "Where none applies: mode `necessary` → permitted, `necessary` (an objection is reported beside the
    # answer);"
    if mode == "necessary":
        objection = None if found.objection is None else found.objection["event_id"]
        beside: Line = {"overrides": [], "objection": objection}
        return answer(case, True, "necessary", evidence) | {"beside": beside}
    # § "mode `opt_out` → permitted, `not_opted_out`;"
    if mode == "opt_out":
        return answer(case, True, "not_opted_out", evidence)
    # § "mode `opt_in` → the code of the latest opt-in (in order) that was passed over, else
    # `consent_required`."
    return answer(case, False, found.code or "consent_required", [*evidence, found.passed])


def go_through_choices(case: Case, mode: str, notices: list[tuple[int, Line]]) -> Chosen:
    """The choice that applies, and what was passed over on the way to it."""
    passed: Line | None = None
    code: str | None = None
    objection: Line | None = None
    # § "Go through the choices that cover the question from the last to the first, in the order
    # `(occurred_at, opt-in before opt-out, recorded_at, event_id)`."
    choices = [event for event in happened(case, "ChoiceMade") if choice_covers(case, event)]
    for choice in sorted(choices, key=order_of_choice, reverse=True):
        if choice["decision"] == "opt_in":
            lacking = why_no_consent(case, choice, notices)
            # § "where the mode that applies is `necessary`: every opt-in"
            if lacking is None and mode != "necessary":
                return Chosen(applied=choice, passed=passed, code=code, objection=objection)
            if lacking is not None and passed is None:
                passed, code = choice, lacking
        # § "and an *objection*"
        elif mode == "necessary" and is_objection(case, choice):
            objection = objection or choice
        else:
            # § "The first choice that is not passed over *applies*."
            return Chosen(applied=choice, passed=passed, code=code, objection=objection)
    return Chosen(applied=None, passed=passed, code=code, objection=objection)


def order_of_choice(choice: Line) -> tuple[int, bool, int, str]:
    """The order "`(occurred_at, opt-in before opt-out, recorded_at, event_id)`"."""
    return choice["occurred_at"], choice["decision"] == "opt_out", choice["recorded_at"], choice["event_id"]


def choice_covers(case: Case, choice: Line) -> bool:
    """Whether a choice covers the question."""
    recipients = choice.get("recipients")
    if choice["decision"] == "opt_in":
        # § "An **opt-in** names purposes one by one; `recipients` null is own use alone, a list is those
        # recipients alone"
        named = case.recipient is None if recipients is None else case.recipient in recipients
        return named and case.purpose in choice["purposes"]
    # § "`recipients` null is everything, own use included; a list is those recipients alone."
    named = recipients is None or case.recipient in recipients
    # § "An opt-out covers a purpose by its key or by a key that the terms in force `replace`."
    return named and any(selects(choice["purposes"], key) for key in keys_of(case))


def why_no_consent(case: Case, choice: Line, notices: list[tuple[int, Line]]) -> str | None:
    """The code for which an opt-in gives no consent to this question; none where it gives consent."""
    terms = terms_referred_to(case, choice, notices)
    # § "No such terms, or they do not declare the question → `consent_predates_terms`;"
    if terms is None or not declare(case, terms):
        return "consent_predates_terms"
    # § "else `occurred_at` + the `valid_for` of those terms `≤ t` → `consent_expired`;"
    valid_for = terms.get("valid_for")
    if valid_for is not None and choice["occurred_at"] + duration(valid_for) <= case.t:
        return "consent_expired"
    # § "else the individual belongs to the population `minor` and its `actor.kind` is not `guardian` →
    # `consent_not_by_guardian`"
    is_minor = "minor" in populations_of(case)
    if is_minor and (choice.get("actor") or {}).get("kind") != "guardian":
        return "consent_not_by_guardian"
    return None


def terms_referred_to(case: Case, choice: Line, notices: list[tuple[int, Line]]) -> Line | None:
    """The purpose's terms in the version that an opt-in refers to."""
    policy_ids = {version["policy_id"] for version in case.versions}
    # § "The version it refers to is the one it names for this policy (any that stands and is known at k);"
    for policy_id, number in (choice.get("versions") or {}).items():
        named = version_numbered(case, number)
        if policy_id in policy_ids and named is not None:
            return terms_of(named, case.purpose)
    # § "else that of the last of the notices of 5 that counts from its `occurred_at` or before; else none."
    before = [notice for start, notice in notices if start <= choice["occurred_at"]]
    return terms_told(case, before[-1]) if before else None


def is_objection(case: Case, choice: Line) -> bool:
    """Whether an opt-out is an objection to a use that was necessary, or unheard of, when it was made."""
    # § "an opt-out made when the version then in force (as known at k) declared neither the key nor one that
    # the terms in force replace, or gave each that it did the mode `necessary` (the recipient's where it
    # named it, else the purpose's)"
    then = in_force_at(case.versions, choice["occurred_at"])
    terms = [found for key in keys_of(case) if (found := terms_of(then, key)) is not None]
    return all(mode_for(each, case.recipient) == "necessary" for each in terms)
