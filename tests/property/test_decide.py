"""The laws of the decision, on random worlds: each quotes the promise that it holds."""

import random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from events.instants import Micros
from events.union import Recorded
from projections.decide import decide
from projections.decision import PERMITTING, Decision, Question
from projections.facts import Facts, decode_facts, encode_facts
from projections.fold import advance, facts_known_at, live_facts, prune
from projections.plan import plan_for
from projections.told import notices_of
from tests.simulation.histories import generate
from tests.simulation.worlds import World, question_of, recorded_of

SAMPLES = 6
"""Questions of a world that a law with costly checks looks at."""


class Scene:
    """A random world, its questions, and the dice that made it."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.lines, fields = generate(self.dice)
        self.world = World(self.lines)
        self.questions = [question_of(each) for each in fields]

    def sample(self) -> list[Question]:
        """A few of the questions."""
        return self.dice.sample(self.questions, min(SAMPLES, len(self.questions)))


scenes = st.integers(min_value=0, max_value=2**32).map(Scene)


def unrepeated(history: list[Recorded]) -> list[Recorded]:
    """A history as the projector keeps it: the first event of each id."""
    first: dict[str, Recorded] = {}
    for recorded in history:
        first.setdefault(recorded.event.event_id, recorded)
    return list(first.values())


def folded(history: list[Recorded]) -> Facts | None:
    """Live facts as the projector makes them: advanced where it can be, made anew where it cannot."""
    facts: Facts | None = None
    for count, recorded in enumerate(history, start=1):
        facts = advance(facts, recorded) or live_facts(history[:count])
    return facts


@given(scenes)
def test_order_and_repetition_change_nothing(scene: Scene) -> None:
    """An individual's events are a set: order and repetition of delivery change no answer."""
    for question in scene.sample():
        history = unrepeated(scene.world.history(question))
        shuffled = history + history[: len(history) // 2]
        scene.dice.shuffle(shuffled)
        facts = facts_known_at(shuffled, question.known_at)
        assert decide(scene.world.policies(question), facts, question) == scene.world.decide(question)


@given(scenes)
def test_advancing_is_folding_the_whole_history(scene: Scene) -> None:
    """One event at a time, in any order, gives byte for byte the facts that the whole history gives."""
    for history in scene.world.histories.values():
        events = unrepeated(history)
        expected = encode_facts(live_facts(events))
        assert encode_facts(folded(events) or live_facts([])) == expected
        scene.dice.shuffle(events)
        assert encode_facts(folded(events) or live_facts([])) == expected


@given(scenes)
def test_facts_survive_their_bytes(scene: Scene) -> None:
    """Decoding the bytes of facts gives the facts."""
    for history in scene.world.histories.values():
        facts = live_facts(history)
        assert decode_facts(encode_facts(facts)) == facts


@given(scenes)
def test_pruned_facts_answer_like_the_full_history(scene: Scene) -> None:
    """From the newest event on, live facts and the full history give the same decision."""
    for question in scene.questions:
        full = facts_known_at(scene.world.history(question), None)
        now = msgspec.structs.replace(question, known_at=None, at=max(question.at, full.newest_recorded_at))
        policies = scene.world.policies(question)
        assert decide(policies, prune(full), now) == decide(policies, full, now)


def opting_out(question: Question, dice: random.Random, occurred_at: Micros) -> Recorded:
    """An opt-out of what is asked, in one of the ways to say it."""
    branch = question.purpose.split(".")[0]
    line = {
        "type": "ChoiceMade",
        "event_id": f"ffffffff-ffff-4fff-8fff-{dice.randrange(10**12):012d}",
        "tenant": question.tenant,
        "individual": question.individual,
        "occurred_at": "1970-01-01T00:00:00Z",
        "recorded_at": "1970-01-01T00:00:00Z",
        "decision": "opt_out",
        "purposes": [dice.choice(["*", branch, question.purpose])],
        "recipients": dice.choice([None, [question.recipient or "anyone"]]),
    }
    event = msgspec.structs.replace(recorded_of(line).event, occurred_at=occurred_at)
    return Recorded(event, occurred_at)


@given(scenes)
def test_an_opt_out_never_raises_a_permission(scene: Scene) -> None:
    """Whatever was denied stays denied with one opt-out more, at whatever instant it was made."""
    for question in scene.questions:
        before = scene.world.decide(question)
        if before.permitted:
            continue
        made_at = question.at + scene.dice.choice([-20, -5, -1, 0]) * 86_400_000_000
        history = [*scene.world.history(question), opting_out(question, scene.dice, made_at)]
        after = decide(scene.world.policies(question), facts_known_at(history, question.known_at), question)
        assert not after.permitted


@given(scenes)
def test_nothing_is_permitted_without_policy_notice_and_choice(scene: Scene) -> None:
    """What permits, the law aside, has a policy in force, a notice of it, and no opt-out that stands."""
    for question in scene.questions:
        decision = scene.world.decide(question)
        if not decision.permitted or decision.reason == "required_by_law":
            continue
        view = scene.world.policies(question).known_at(question.known_at)
        plan = plan_for(view, question, question.at)
        facts = facts_known_at(scene.world.history(question), question.known_at)
        assert plan.terms is not None
        assert decision.policy is not None
        assert notices_of(plan, facts, question.at)
        assert len(decision.evidence) >= 2, "the policy version and a notice"
        outs = [c for c in facts.choices if c.event_id in decision.evidence and not c.opt_in]
        assert not outs


@given(scenes)
def test_permission_and_reason_agree(scene: Scene) -> None:
    """A reason either always permits or never does."""
    for question in scene.questions:
        decision = scene.world.decide(question)
        assert decision.permitted == (decision.reason in PERMITTING)


def asked_at(scene: Scene, question: Question, at: Micros) -> Decision:
    """The same question at another instant."""
    return scene.world.decide(msgspec.structs.replace(question, at=at))


@given(scenes)
def test_nothing_changes_before_until_and_something_does_at_it(scene: Scene) -> None:
    """`permitted` and `reason` are the same at every instant up to `until`, and another at it."""
    for question in scene.sample():
        decision = scene.world.decide(question)
        answer = (decision.permitted, decision.reason)
        horizon = decision.until or question.at + 400 * 86_400_000_000
        for at in {scene.dice.randrange(question.at, horizon) for _ in range(8)} | {horizon - 1}:
            later = asked_at(scene, question, at)
            assert (later.permitted, later.reason) == answer
        if decision.until is not None:
            assert decision.until > question.at
            turned = asked_at(scene, question, decision.until)
            assert (turned.permitted, turned.reason) != answer
