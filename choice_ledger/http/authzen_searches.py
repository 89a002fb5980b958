"""AuthZEN's searches: which subjects, resources or actions an evaluation would permit.

Source: OpenID Authorization API 1.0, section 8. A search names candidates and asks of each the very question
that an evaluation would ask, so what it gives and what it leaves out agree with evaluations. A page looks at
no more than ``LOOKED_AT_MAX`` candidates: it may be empty, and another page follow it.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, TypeAlias

import msgspec

from choice_ledger.access import ServiceRegistry
from choice_ledger.http.authzen_entities import Action, Entity, Faults, Request, Target, parts_of, whole
from choice_ledger.http.authzen_evaluations import unreached
from choice_ledger.http.authzen_pages import PageAsked, Place, page_of, place_of, search_of, token_of
from choice_ledger.http.authzen_questions import (
    INDIVIDUAL,
    RECIPIENT,
    SERVICE,
    Manner,
    enquiry_of,
    manner_of,
)
from choice_ledger.http.problems import Problem
from choice_ledger.http.service import Service
from events.catalogue import TenantPolicies
from events.codec import decode
from events.individual_events import DisclosureCompelled
from events.streams import Position
from projections.ports import StateReads
from projections.reader import Answer, Enquiry

LOOKED_AT_MAX: Final = 2_000
"""Candidates that one page looks at."""

LOOKED_AT_MIN: Final = 100
"""Candidates that one page looks at, however few results it may hold."""

LOOKED_AT_PER_RESULT: Final = 4
"""Candidates that one page looks at for each result that it may hold, between the two limits."""

Names: TypeAlias = Callable[[str, int], Sequence[str]]
"""The next so many names of candidates after one (empty: from the first), in the order of their bytes."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """An entity that a search found: of a subject or a resource type and id, of an action its name."""

    type: str | msgspec.UnsetType = msgspec.UNSET
    id: str | msgspec.UnsetType = msgspec.UNSET
    name: str | msgspec.UnsetType = msgspec.UNSET


class PageTold(msgspec.Struct, frozen=True, kw_only=True):
    """``next_token`` asks for the next page; it is empty where there is none."""

    next_token: str
    count: int


class SearchContext(msgspec.Struct, frozen=True, kw_only=True):
    """What all results of a page include: the state's position, left out where nobody was looked at."""

    position: str | msgspec.UnsetType = msgspec.UNSET


class Searched(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a search."""

    page: PageTold
    context: SearchContext
    results: tuple[Found, ...]


class Permitted(NamedTuple):
    """The names of one page, the one after which the next page goes on (none: the end), and the position."""

    names: tuple[str, ...]
    goes_on_after: str | None
    position: Position | None


class Asked(NamedTuple):
    """A search that is well formed."""

    tenant: str
    target: Target
    request: Request
    manner: Manner
    place: Place
    search: tuple[object, ...]

    def candidate(self, name: str) -> Request:
        """The request that an evaluation of this candidate would be."""
        subject, action, resource, context = self.request
        match self.target:
            case "subject":
                return Request(Entity(subject.type, name, subject.properties), action, resource, context)
            case "resource":
                return Request(subject, action, Entity(resource.type, name, resource.properties), context)
            case "action":
                return Request(subject, Action(name, action.properties), resource, context)

    def found(self, name: str) -> Found:
        """A result, as it is told."""
        subject, _, resource, _ = self.request
        match self.target:
            case "subject":
                return Found(type=subject.type, id=name)
            case "resource":
                return Found(type=resource.type, id=name)
            case "action":
                return Found(name=name)


def asked_of(target: Target, tenant: str, document: object) -> Asked:
    """The search that a document asks for. Raises Problem ``malformed_request`` with every fault."""
    faults: Faults = []
    request = whole(parts_of(document, faults, target=target), faults)
    page = page_of(document, faults) if isinstance(document, dict) else PageAsked()
    manner = Manner() if request is None else manner_of(request, faults)
    if request is None or faults:
        raise Problem("malformed_request", errors=faults)
    search = search_of(tenant, target, request, page)
    place = place_of(page, search, faults)
    if faults:
        raise Problem("malformed_request", errors=faults)
    return Asked(tenant, target, request, manner, place, search)


async def search(target: Target, service: Service, tenant: str, document: object) -> Searched:
    """One page of a search. Raises Problem: ``malformed_request``, ``stale``."""
    asked = asked_of(target, tenant, document)
    for after in (asked.manner.after, asked.place.reached):
        if await unreached(service, after, asked.manner.wait_ms) is not None:
            raise Problem("stale")
    policies = service.ledger.tenant(tenant)

    def read() -> Permitted:
        with service.ledger.store.view() as reads:
            names = names_of(asked, policies, reads, service.services)
            return permitted(asked, names, service.checks.answer_many, service.services)

    page = await service.read(read)
    if service.freshness.outside() is not None:
        raise Problem("stale")
    return told(asked, page)


def told(asked: Asked, page: Permitted) -> Searched:
    """A page of a search as it is written."""
    position = "" if page.position is None else page.position.encode()
    token = ""
    if page.goes_on_after is not None:
        place = Place(after=page.goes_on_after, limit=asked.place.limit, position=position)
        token = token_of(place, asked.search)
    return Searched(
        page=PageTold(next_token=token, count=len(page.names)),
        context=SearchContext(position=position or msgspec.UNSET),
        results=tuple(asked.found(name) for name in page.names),
    )


def permitted(
    asked: Asked,
    names: Names,
    answer_many: Callable[[Sequence[Enquiry]], Sequence[Answer]],
    services: ServiceRegistry,
) -> Permitted:
    """Those of the next candidates whom an evaluation would permit, as many as the page may hold."""
    results_max, goes_on_after = asked.place.results_max, asked.place.after
    looked_at = min(LOOKED_AT_MAX, max(LOOKED_AT_MIN, LOOKED_AT_PER_RESULT * results_max))
    # One more than is looked at tells whether there are more.
    some = names(goes_on_after, looked_at + 1)
    answers = _answers(asked, some[:looked_at], answer_many, services)
    position = _joined(answer.position for answer in answers.values())
    found: list[str] = []
    for name in some[:looked_at]:
        if name in answers and answers[name].decision.permitted:
            if len(found) == results_max:
                return Permitted(tuple(found), goes_on_after, position)
            found.append(name)
        goes_on_after = name
    return Permitted(tuple(found), goes_on_after if len(some) > looked_at else None, position)


def _answers(
    asked: Asked,
    names: Sequence[str],
    answer_many: Callable[[Sequence[Enquiry]], Sequence[Answer]],
    services: ServiceRegistry,
) -> dict[str, Answer]:
    """The answers on those candidates of whom a question can be asked, all from one moment."""
    questions: dict[str, Enquiry] = {}
    for name in names:
        question = enquiry_of(asked.candidate(name), asked.manner, asked.tenant, services)
        if isinstance(question, Enquiry):
            questions[name] = question
    answers = answer_many(list(questions.values())) if questions else ()
    return dict(zip(questions, answers, strict=True))


def names_of(asked: Asked, policies: TenantPolicies, reads: StateReads, services: ServiceRegistry) -> Names:
    """The candidates of a search: a name that is none of them is never permitted.

    The exception is an action that no policy ever declared and that a disclosure compelled by law covers
    without naming it: there is no end of those.
    """
    subject, action, resource, _ = asked.request
    if asked.target == "resource":
        if resource.type != INDIVIDUAL:
            return among(())
        return lambda after, limit: reads.individuals(asked.tenant, after, limit)
    compelled = _compelled(reads, f"{asked.tenant}/{resource.id}")
    if asked.target == "action":
        named = {key for each in compelled for key in each.purposes or ()}
        return among(policies.owners.keys() | named)
    if subject.type == SERVICE:
        return among(services.of_tenant(asked.tenant))
    if subject.type == RECIPIENT:
        return among(_recipients(policies, action.name) | {each.recipient for each in compelled})
    return among(())


def among(names: Iterable[str]) -> Names:
    """Candidates that are all at hand."""
    ordered = sorted(set(names))

    def following(after: str, limit: int) -> Sequence[str]:
        start = bisect_right(ordered, after)
        return ordered[start : start + limit]

    return following


def _recipients(policies: TenantPolicies, purpose: str) -> set[str]:
    """Every recipient that a standing version ever named for a purpose."""
    return {
        recipient.name
        for versions in policies.standing.values()
        for version in versions
        if purpose in version.terms
        for recipient in version.terms[purpose].recipients
    }


def _compelled(reads: StateReads, key: str) -> list[DisclosureCompelled]:
    """Every disclosure of an individual's data that a law ever compelled."""
    events = (decode(entry.value).event for entry in reads.history(key))
    return [event for event in events if isinstance(event, DisclosureCompelled)]


def _joined(positions: Iterable[Position | None]) -> Position | None:
    """The position that covers those of answers from one moment, of which many are the same object."""
    joined: Position | None = None
    for position in set(positions) - {None}:
        assert position is not None
        joined = position if joined is None else joined.joined(position)
    return joined
