"""Two implementations of the semantics, written apart, agree on random histories.

`naive_decide` was written from the text of the semantics alone and imports nothing of the product. A short
run asks tens of thousands of questions; a long one ten times as many.
"""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any, get_args

import msgspec
import pytest

from projections.decide import decide
from projections.decision import DecidedDenial, Decision, PermittingReason, Question
from projections.facts import Facts
from projections.fold import facts_known_at
from tests.simulation import naive_decide
from tests.simulation.histories import generate
from tests.simulation.worlds import World, answer_of, question_of

SEED = 20260504
WORLDS_CI = 1_000
WORLDS_LONG = 10_000
REASON_COUNT_MIN = 300
PLANTED_WORLDS_MAX = 200

Decider = Callable[[World, Question], Decision]


def disagreements(world: World, lines: list[Any], questions: list[Any], decider: Decider) -> list[str]:
    """What the decider says otherwise than the naive implementation, a sentence each."""
    found = []
    for fields in questions:
        decision = decider(world, question_of(fields))
        beside = {"overrides": list(decision.overrides), "objection": decision.objection}
        answer = answer_of(decision) | {"beside": beside}
        expected = naive_decide.decide(lines, fields)
        if answer != expected:
            found.append(f"{fields}: {answer} instead of {expected}")
    return found


@pytest.mark.timeout(900)
def test_the_two_implementations_agree(long_run: bool, count: Callable[..., None]) -> None:
    """On every question the two give the same answer, evidence and `until`, and every reason is reached."""
    rng = random.Random(SEED)
    reasons: Counter[str] = Counter()
    for number in range(WORLDS_LONG if long_run else WORLDS_CI):
        lines, questions = generate(rng)
        world = World(lines)

        def counting(world: World, question: Question) -> Decision:
            decision = world.decide(question)
            reasons[decision.reason] += 1
            return decision

        assert not disagreements(world, lines, questions, counting), f"world {number} of seed {SEED}"
    rare = {r: reasons[r] for r in (*get_args(PermittingReason), *get_args(DecidedDenial))}
    assert min(rare.values()) >= REASON_COUNT_MIN, rare
    count("two implementations agree", seed=SEED, questions=reasons.total(), rarest_reason=min(rare.values()))


def versions_are_forgotten(facts: Facts) -> Facts:
    """A planted fault: consent named for a version is taken for consent that names none."""
    choices = tuple(msgspec.structs.replace(choice, versions=()) for choice in facts.choices)
    return msgspec.structs.replace(facts, choices=choices)


def opt_outs_do_not_cascade(facts: Facts) -> Facts:
    """A planted fault: a branch covers nothing below it."""
    choices = tuple(
        choice
        if choice.opt_in
        else msgspec.structs.replace(
            choice, purposes=tuple(p for p in choice.purposes if "." in p or p == "*")
        )
        for choice in facts.choices
    )
    return msgspec.structs.replace(facts, choices=choices)


def runs_are_forgotten(facts: Facts) -> Facts:
    """A planted fault: of two notices in a run only the last is kept."""
    return msgspec.structs.replace(facts, notices=facts.notices[-1:])


@pytest.mark.parametrize("fault", [versions_are_forgotten, opt_outs_do_not_cascade, runs_are_forgotten])
def test_a_planted_fault_is_found(fault: Callable[[Facts], Facts]) -> None:
    """The comparison finds a decision that is subtly wrong, in a fraction of the worlds of a run."""
    rng = random.Random(SEED)

    def faulty(world: World, question: Question) -> Decision:
        facts = fault(facts_known_at(world.history(question), question.known_at))
        return decide(world.policies(question), facts, question)

    for _ in range(PLANTED_WORLDS_MAX):
        lines, questions = generate(rng)
        if disagreements(World(lines), lines, questions, faulty):
            return
    pytest.fail(f"{fault.__name__} was not found in {PLANTED_WORLDS_MAX} worlds")
