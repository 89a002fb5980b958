"""Step 6 of the decision: which of the individual's choices applies.

Source: ``semantics.md``, *Chosen*.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

from events.instants import Micros
from events.selectors import covers
from events.terms import Mode
from projections.facts import Choice, Facts, Notice
from projections.plan import Plan, Told

ConsentFault: TypeAlias = Literal["consent_predates_terms", "consent_expired", "consent_not_by_guardian"]


class Chosen(NamedTuple):
    """What the individual's choices come to.

    ``applies`` is the first choice, from the last to the first, that is not passed over. ``fault`` is the
    code of the latest opt-in that was, and ``faulty`` that opt-in; ``objection`` the latest opt-out that was.
    ``expiries`` are the instants at which the opt-ins that were looked at end.
    """

    applies: Choice | None = None
    fault: ConsentFault | None = None
    faulty: Choice | None = None
    objection: Choice | None = None
    expiries: tuple[Micros, ...] = ()


def chosen(
    plan: Plan, facts: Facts, notices: Sequence[Notice], *, mode: Mode, at: Micros, minor: bool
) -> Chosen:
    """Go through the choices that cover the question, from the last to the first."""
    fault: ConsentFault | None = None
    faulty: Choice | None = None
    objection: Choice | None = None
    expiries: tuple[Micros, ...] = ()
    for choice in reversed(facts.choices):
        if choice.occurred_at > at or not covers_question(plan, choice):
            continue
        if not choice.opt_in:
            if mode == "necessary" and plan.is_objection(choice.occurred_at):
                objection = objection or choice
                continue
            return Chosen(choice, fault, faulty, objection, expiries)
        if mode == "necessary":
            continue
        told = _referred_to(plan, choice, notices)
        failing = _consent_fault(choice, told, at, minor)
        if told is not None and told.valid_for is not None:
            expiries = (*expiries, choice.occurred_at + told.valid_for)
        if failing is None:
            return Chosen(choice, fault, faulty, objection, expiries)
        if faulty is None:
            fault, faulty = failing, choice
    return Chosen(None, fault, faulty, objection, expiries)


def covers_question(plan: Plan, choice: Choice) -> bool:
    """Whether a choice covers the purpose and the recipient asked for.

    ``semantics.md``: an opt-out's "`recipients` null is everything, own use included; a list is those
    recipients alone"; an opt-in "names purposes one by one; `recipients` null is own use alone, a list is
    those recipients alone"; an opt-out also covers "a key that the terms in force `replace`".
    """
    if choice.recipients is not None:
        if plan.recipient is None or plan.recipient not in choice.recipients:
            return False
    elif choice.opt_in and plan.recipient is not None:
        return False
    if choice.opt_in:
        return plan.purpose in choice.purposes
    return any(covers(choice.purposes, key) for key in plan.covered_keys)


def _referred_to(plan: Plan, choice: Choice, notices: Sequence[Notice]) -> Told | None:
    """The version an opt-in refers to: the standing one it names for this policy, else the one told last."""
    line = plan.line
    for policy_id, version in choice.versions:
        if line is not None and policy_id == line.policy_id and version in line.versions:
            return plan.told(version)
    before = [notice for notice in notices if notice.counts_from <= choice.occurred_at]
    return plan.told(before[-1].version) if before else None


def _consent_fault(choice: Choice, told: Told | None, at: Micros, minor: bool) -> ConsentFault | None:
    if told is None or not told.declares:
        return "consent_predates_terms"
    if told.valid_for is not None and choice.occurred_at + told.valid_for <= at:
        return "consent_expired"
    if minor and not choice.by_guardian:
        return "consent_not_by_guardian"
    return None
