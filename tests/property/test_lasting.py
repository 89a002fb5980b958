"""A decision that lasts is the one that would be made anew, at every instant for which it lasts."""

import random

import msgspec

from events.instants import DAY, INSTANT_MAX
from projections.decide import decide, decide_lasting
from projections.decision import Question
from projections.facts import Facts
from projections.fold import facts_known_at
from tests.simulation.histories import generate
from tests.simulation.worlds import World, question_of

WORLDS = 150
INSTANTS_A_QUESTION = 6
FAR = 4_000 * DAY


def facts_of(world: World, question: Question) -> Facts:
    """What was known of the individual asked for."""
    return facts_known_at(world.history(question), question.known_at)


def test_a_decision_lasts_as_long_as_it_says() -> None:
    """Up to `holds_before` a question that differs in `at` alone gets the same decision, member by member."""
    dice = random.Random(31)
    lasted = ended = 0
    for _ in range(WORLDS):
        lines, questions = generate(dice)
        world = World(lines)
        for question in map(question_of, questions):
            policies, facts = world.policies(question), facts_of(world, question)
            decision, holds_before = decide_lasting(policies, facts, question)
            assert decision == decide(policies, facts, question)
            last = min(question.at + FAR, INSTANT_MAX) if holds_before is None else holds_before - 1
            for _ in range(INSTANTS_A_QUESTION if last > question.at else 0):
                at = dice.choice((last, dice.randint(question.at, last)))
                later = msgspec.structs.replace(question, at=at)
                assert decide(policies, facts, later) == decision
            lasted += last > question.at
            ended += holds_before is not None
    assert lasted > WORLDS
    assert ended > WORLDS


def test_a_decision_lasts_no_longer_than_until() -> None:
    """Where permission or reason changes at `until`, the decision does not last beyond it."""
    dice = random.Random(32)
    bounded = 0
    for _ in range(WORLDS // 3):
        lines, questions = generate(dice)
        world = World(lines)
        for question in map(question_of, questions):
            decision, holds_before = decide_lasting(
                world.policies(question), facts_of(world, question), question
            )
            if decision.until is not None:
                assert holds_before is not None
                assert holds_before <= decision.until
                bounded += 1
    assert bounded


def test_a_decision_beside_a_compelled_disclosure_does_not_last() -> None:
    """Of somebody with a compelled disclosure every question is decided anew: its overrides may change."""
    dice = random.Random(33)
    compelled = 0
    for _ in range(WORLDS // 3):
        lines, questions = generate(dice)
        world = World(lines)
        for question in map(question_of, questions):
            facts = facts_of(world, question)
            if facts.compelled:
                assert decide_lasting(world.policies(question), facts, question).holds_before == question.at
                compelled += 1
    assert compelled
