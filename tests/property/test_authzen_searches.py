"""AuthZEN's searches agree with its evaluations, on random worlds: nothing more and nothing less."""

import random
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from choice_ledger.http.authzen_entities import Target
from choice_ledger.http.authzen_questions import Manner, enquiry_of
from choice_ledger.http.authzen_searches import Asked, asked_of, names_of, permitted, told
from events.catalogue import TenantPolicies
from events.instants import format_instant
from projections.ports import StateReads
from projections.reader import Enquiry, ReadModel
from tests.simulation.amendments import RECIPIENTS
from tests.simulation.histories import generate
from tests.simulation.logs import log_of, projected
from tests.simulation.worlds import World, question_of, recorded_of

pytestmark = pytest.mark.timeout(1_800)  # A long run looks at thousands of worlds.

seeds = st.integers(min_value=0, max_value=2**32)
limits = st.none() | st.integers(1, 5)
SERVICES = ("billing", "crm")
INDIVIDUALS = ("ana", "Ana", "bo", "nobody")
CRM = {"type": "service", "id": "crm"}
SUBJECTS = (
    *({"type": "recipient", "id": name} for name in (*RECIPIENTS, "nobodyco")),
    *({"type": "service", "id": name} for name in (*SERVICES, "strange")),
    {"type": "user", "id": "alice"},
)


class EverybodysServices:
    """A registry in which each tenant has the same two services."""

    def is_own(self, tenant: str, service_id: str) -> bool:
        return service_id in SERVICES

    def of_tenant(self, tenant: str) -> Sequence[str]:
        return SERVICES

    def fault(self) -> str | None:
        return None


class Searched:
    """A random world, and what is asked of it."""

    def __init__(self, seed: int) -> None:
        lines, questions = generate(random.Random(seed))
        self.world = World(lines)
        log = log_of([recorded_of(line) for line in lines], 2)
        self.store = projected(log)
        self.model = ReadModel(self.store, log.slice_of, lambda: 0)
        self.dice = random.Random(seed)
        self.question = question_of(self.dice.choice(questions))
        self.tenant = self.question.tenant
        # Reads of one moment: what a search names, it names from there.
        self.closing = ExitStack()
        self.reads: StateReads = self.closing.enter_context(self.store.view())

    @property
    def policies(self) -> TenantPolicies:
        return self.world.catalogue.tenant(self.tenant)

    def context(self) -> dict[str, Any]:
        """What a question says of times and data, in AuthZEN's places."""
        context: dict[str, Any] = {"at": format_instant(self.question.at), "data": self.question.data}
        if self.question.known_at is not None:
            context["known_at"] = format_instant(self.question.known_at)
        return context

    def search(self, target: Target, body: dict[str, Any], limit: int | None) -> list[str]:
        """The names on all pages of a search, each page asked with the token of the one before."""
        found: list[str] = []
        page: dict[str, Any] = {} if limit is None else {"limit": limit}
        document = msgspec.json.decode(msgspec.json.encode({**body, "page": page}))
        for _ in range(1_000):
            asked = asked_of(target, self.tenant, document)
            names = names_of(asked, self.policies, self.reads, EverybodysServices())
            one = told(asked, permitted(asked, names, self.model.answer_many, EverybodysServices()))
            assert limit is None or len(one.results) <= limit
            found.extend(str(each.name if target == "action" else each.id) for each in one.results)
            if not one.page.next_token:
                return found
            document["page"]["token"] = one.page.next_token
        raise AssertionError("the pages have no end")

    def is_permitted(self, body: dict[str, Any]) -> bool:
        """What the whole history says of an evaluation, without anything that a search uses."""
        document = msgspec.json.decode(msgspec.json.encode(body))
        asked: Asked = asked_of("action", self.tenant, document)
        request = asked.request._replace(action=asked.request.action._replace(name=body["action"]["name"]))
        manner: Manner = asked.manner
        enquiry = enquiry_of(request, manner, self.tenant, EverybodysServices())
        if not isinstance(enquiry, Enquiry):
            return False
        fields = {**msgspec.structs.asdict(enquiry), "at": self.question.at}
        return self.world.decide(msgspec.convert(fields, type(self.question))).permitted


def agrees(
    world: Searched,
    target: Target,
    body: dict[str, Any],
    everybody: Sequence[dict[str, str]],
    limit: int | None,
) -> bool:
    """Whether a search finds exactly those whom an evaluation permits, of everybody and of those found."""
    found = world.search(target, body, limit)
    member = "name" if target == "action" else "id"
    # Whoever is found is put to the question too, whether or not the test thought of them.
    template = {**body.get(target, {}), **everybody[0]}
    candidates = [*everybody, *({**template, member: name} for name in found)]
    permitted_ = {
        each[member] for each in candidates if world.is_permitted({"action": {}, **body, target: each})
    }
    return found == sorted(permitted_)


@given(seeds, limits)
def test_a_subject_search_agrees_with_evaluations(seed: int, limit: int | None) -> None:
    """Of all subjects those are found whose evaluation is true, once each, on pages of any length."""
    world = Searched(seed)
    body = {
        "action": {"name": world.question.purpose},
        "resource": {"type": "individual", "id": world.question.individual},
        "context": world.context(),
    }
    for kind in ("recipient", "service", "user"):
        everybody = [subject for subject in SUBJECTS if subject["type"] == kind]
        assert agrees(world, "subject", {**body, "subject": {"type": kind}}, everybody, limit)
    world.closing.close()


@given(seeds, limits)
def test_a_resource_search_agrees_with_evaluations(seed: int, limit: int | None) -> None:
    """Of all individuals those are found whose evaluation is true, once each, on pages of any length."""
    world = Searched(seed)
    everybody = [{"type": "individual", "id": each} for each in INDIVIDUALS]
    for subject in (CRM, *world.dice.sample(SUBJECTS, 2)):
        body = {
            "subject": subject,
            "action": {"name": world.question.purpose},
            "resource": {"type": "individual"},
            "context": world.context(),
        }
        assert agrees(world, "resource", body, everybody, limit)
    world.closing.close()


@given(seeds, limits)
def test_an_action_search_agrees_with_evaluations(seed: int, limit: int | None) -> None:
    """Of all purposes that were ever declared or named those are found whose evaluation is true."""
    world = Searched(seed)
    everybody = [{"name": key} for key in world.policies.owners]
    for subject in (CRM, *world.dice.sample(SUBJECTS, 2)) if everybody else ():
        body = {
            "subject": subject,
            "resource": {"type": "individual", "id": world.question.individual},
            "context": world.context(),
        }
        assert agrees(world, "action", body, everybody, limit)
    world.closing.close()


def test_the_worlds_permit_and_deny() -> None:
    """The worlds of these tests are worth searching: each kind of search finds some, and leaves some out."""
    found = dict.fromkeys(get_args(Target), 0)
    left_out = dict.fromkeys(get_args(Target), 0)
    for seed in range(60):
        world = Searched(seed)
        resource = {"type": "individual", "id": world.question.individual}
        action, context = {"name": world.question.purpose}, {"at": format_instant(world.question.at)}
        bodies: dict[Target, dict[str, Any]] = {
            "subject": {"subject": {"type": "recipient"}, "action": action, "resource": resource},
            "resource": {"subject": CRM, "action": action, "resource": {"type": "individual"}},
            "action": {"subject": CRM, "resource": resource},
        }
        for target, body in bodies.items():
            some = world.search(target, {**body, "context": context}, None)
            found[target] += len(some)
            left_out[target] += not some
        world.closing.close()
    assert all(count > 5 for count in found.values()), found
    assert all(count > 5 for count in left_out.values()), left_out
