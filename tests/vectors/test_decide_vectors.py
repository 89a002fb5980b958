"""The decision, case by case, as `decide/*.json` states it: a log, a question, and the answer."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from projections.decision import DecidedDenial, PermittingReason
from tests.simulation import naive_decide
from tests.simulation.worlds import World, answer_of, question_of

Line = dict[str, Any]
Lines = list[Line]

FILES = sorted((Path(__file__).parent / "decide").glob("*.json"))


def cases() -> list[Any]:
    """Every case of every file, with its log."""
    return [
        pytest.param(vector["log"], case["question"], case["decision"], id=f"{path.stem}: {case['states']}")
        for path in FILES
        for vector in [json.loads(path.read_text(encoding="utf-8"))]
        for case in vector["cases"]
    ]


@pytest.mark.parametrize(("log", "question", "decision"), cases())
def test_the_product_answers_as_stated(log: Lines, question: Line, decision: Line) -> None:
    """Permission, reason, policy, evidence and `until` are exactly those of the vector."""
    assert answer_of(World(log).decide(question_of(question))) == decision


@pytest.mark.parametrize(("log", "question", "decision"), cases())
def test_the_naive_implementation_answers_as_stated(log: Lines, question: Line, decision: Line) -> None:
    """The second implementation answers the same."""
    answer = naive_decide.decide(log, question)
    assert {name: answer[name] for name in decision} == decision


def test_every_reason_has_a_vector() -> None:
    """No reason that `decide` can give is without a case."""
    found = {case.values[2]["reason"] for case in cases()}
    assert found == {*get_args(PermittingReason), *get_args(DecidedDenial)}


def test_every_case_says_what_it_states() -> None:
    """Each case of a file has a sentence of its own."""
    for path in FILES:
        states = [case["states"] for case in json.loads(path.read_text(encoding="utf-8"))["cases"]]
        assert len(set(states)) == len(states), path.name
