"""What a policy says of one kind of question, worked out once and asked many times.

A plan depends on the policy view, the purpose, the recipient, the data and the version in force: on
nothing of the individual. So a batch of questions shares it, and an amendment costs one new plan.
"""

from typing import Final

from events.catalogue import FrameworkStatus, PolicyLine, PolicyView
from events.instants import Micros
from events.terms import STRICTNESS, Mode, Terms
from projections.decision import PolicyRef, Question

PLANS_MAX: Final = 4_096
"""Plans that one view keeps at hand; past that it begins again."""

DATA_AT_HAND_MAX: Final = 16
"""Categories of a question whose plan or decision is kept at hand, so that each is at most a few KiB."""


class Told:
    """What one version of the policy, once told, is worth for the question."""

    __slots__ = ("choice_period", "covers", "declares", "mode", "valid_for")

    def __init__(self, plan: "Plan", terms: Terms | None, covers: bool) -> None:
        """Take from the told terms what the question needs."""
        self.covers = covers
        self.declares = terms is not None and plan.declared_by(terms)
        self.mode: Mode = "necessary" if terms is None else terms.mode_for(plan.recipient)
        self.choice_period: Micros = 0 if terms is None else terms.choice_period or 0
        self.valid_for: Micros | None = None if terms is None else terms.valid_for


class Plan:
    """The policy's part of an answer: the terms in force, and what each version is worth once told."""

    __slots__ = (
        "_told",
        "amended_by",
        "count",
        "covered_keys",
        "data",
        "data_declared",
        "line",
        "mode",
        "policy",
        "purpose",
        "recipient",
        "recipient_declared",
        "terms",
    )

    def __init__(self, line: PolicyLine | None, question: Question, count: int) -> None:
        """Work the plan out for the first ``count`` versions that have been in force."""
        version = line.in_force[count - 1] if line is not None and count else None
        terms = version.terms.get(question.purpose) if version else None
        self.line = line
        self.count = count
        self.purpose = question.purpose
        self.recipient = question.recipient
        self.policy = PolicyRef(version.policy_id, version.version) if version else None
        self.amended_by: tuple[str, ...] = (version.event_id,) if version else ()
        self.terms = terms
        self.covered_keys = (question.purpose, *terms.replaces) if terms else (question.purpose,)
        self.data = frozenset(question.data or (terms.data if terms else ()))
        self.mode: Mode = terms.mode_for(self.recipient) if terms else "opt_out"
        self.recipient_declared = terms is not None and self._names_recipient(terms)
        self.data_declared = terms is not None and self.data.issubset(terms.data)
        self._told: dict[int, Told] = {}

    def _names_recipient(self, terms: Terms) -> bool:
        return self.recipient is None or terms.recipient(self.recipient) is not None

    def declared_by(self, terms: Terms) -> bool:
        """``semantics.md``: "Terms *declare the question* if they have the same `meaning` as the terms in
        force, include the recipient asked for, and `D ⊆ data`".
        """
        return (
            self.terms is not None
            and terms.meaning == self.terms.meaning
            and self._names_recipient(terms)
            and self.data.issubset(terms.data)
        )

    def told(self, version: int) -> Told:
        """What a notice of that version is worth; versions that do not stand are worth nothing."""
        known = self._told.get(version)
        if known is None:
            standing = self.line.versions.get(version) if self.line else None
            terms = standing.terms.get(self.purpose) if standing else None
            known = self._told[version] = Told(
                self, terms, terms is not None and self._covers(version, terms)
            )
        return known

    def _covers(self, version: int, told: Terms) -> bool:
        """``semantics.md``: "its told terms declare the question, and so does every version of the policy
        above m that was in force at any instant up to t".
        """
        if self.line is None or not self.declared_by(told):
            return False
        for later in self.line.in_force[: self.count]:
            terms = later.terms.get(self.purpose)
            if later.version > version and (terms is None or not self.declared_by(terms)):
                return False
        return True

    def stricter(self, told: Told) -> Mode:
        """``semantics.md``: "the stricter of the terms in force and the governing told terms"."""
        return max(self.mode, told.mode, key=STRICTNESS.__getitem__)

    def is_objection(self, made_at: Micros) -> bool:
        """Whether an opt-out made at that instant is an objection to what was necessary then.

        ``semantics.md``: "the version then in force [...] declared neither the key nor one that the terms in
        force replace, or gave each that it did the mode `necessary`".
        """
        version = self.line.at(made_at) if self.line else None
        if version is None:
            return True
        declared = (version.terms[key] for key in self.covered_keys if key in version.terms)
        return all(terms.mode_for(self.recipient) == "necessary" for terms in declared)


def plan_for(view: PolicyView, question: Question, at: Micros) -> Plan:
    """The plan of a question at an instant, from the view's memory where it has been asked before."""
    line = view.lines_by_key.get(question.purpose)
    count = line.count_at(at) if line is not None else 0
    key = (question.purpose, question.recipient, question.data, count)
    plan = view.plans.get(key)
    if plan is None:
        plan = Plan(line, question, count)
        if len(question.data) <= DATA_AT_HAND_MAX:
            if len(view.plans) >= PLANS_MAX:
                view.plans.clear()
            view.plans[key] = plan
    return plan


def lapsed_framework(
    view: PolicyView, terms: Terms, jurisdiction: str | None, at: Micros
) -> tuple[bool, FrameworkStatus | None]:
    """Whether a framework that the transfer rests on is not in force, and the status that says so.

    ``semantics.md``: "a framework that `transfer_basis` lists for the individual's jurisdiction (each
    framework listed, if theirs is not recorded) is not in force at t"; "with none it is not in force".
    """
    for basis in terms.transfer_basis:
        if jurisdiction is None or basis.jurisdiction == jurisdiction:
            status = view.status(basis.framework, at)
            if status is None or not status.in_force:
                return True, status
    return False, None
