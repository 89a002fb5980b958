"""A world of lines as the product sees it: a catalogue, and each individual's history in log order."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from events.catalogue import Catalogue, TenantPolicies
from events.instants import format_instant, parse_instant
from events.lines import parse_line
from events.streams import POLICIES, stream_of
from events.union import Recorded
from projections.decide import decide
from projections.decision import Decision, Question
from projections.fold import facts_known_at

JsonObject = dict[str, Any]


class World:
    """All that the lines of a log say, folded."""

    def __init__(self, lines: Iterable[Mapping[str, Any]]) -> None:
        self.catalogue = Catalogue()
        self.histories: dict[str, list[Recorded]] = {}
        for line in lines:
            recorded = recorded_of(line)
            if stream_of(recorded.event) == POLICIES:
                self.catalogue = self.catalogue.after(recorded)
            else:
                self.histories.setdefault(recorded.event.key, []).append(recorded)

    def policies(self, question: Question) -> TenantPolicies:
        """The policies of the question's tenant."""
        return self.catalogue.tenant(question.tenant)

    def history(self, question: Question) -> list[Recorded]:
        """The events of the individual asked for, in log order, repetitions included."""
        return self.histories.get(question.key, [])

    def decide(self, question: Question) -> Decision:
        """The product's decision, from the whole history."""
        facts = facts_known_at(self.history(question), question.known_at)
        return decide(self.policies(question), facts, question)


def recorded_of(line: Mapping[str, Any]) -> Recorded:
    """The recorded event of a line given as a dict."""
    parsed = parse_line(msgspec.json.encode(line))
    assert parsed.recorded_at is not None
    return Recorded(parsed.event, parsed.recorded_at)


def question_of(fields: Mapping[str, Any]) -> Question:
    """A question from the fields of its line."""
    known_at = fields.get("known_at")
    return Question(
        tenant=fields["tenant"],
        individual=fields["individual"],
        purpose=fields["purpose"],
        recipient=fields.get("recipient"),
        data=tuple(fields.get("data") or ()),
        at=parse_instant(fields["at"]),
        known_at=None if known_at is None else parse_instant(known_at),
    )


def answer_of(decision: Decision) -> JsonObject:
    """A decision as the line of an answer shows it."""
    policy = decision.policy
    return {
        "permitted": decision.permitted,
        "reason": decision.reason,
        "policy": None if policy is None else {"id": policy.id, "version": policy.version},
        "evidence": list(decision.evidence),
        "until": None if decision.until is None else format_instant(decision.until),
    }
