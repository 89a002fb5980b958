"""The endpoints that record: from a body to an event that is durable and folded, and to its receipt."""

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple, TypeAlias

import msgspec

from choice_ledger.access import Caller
from choice_ledger.content_store import ContentDamaged, ContentMissing, ContentStore
from choice_ledger.disclosing import Disclosed, UseDenied, relying
from choice_ledger.exits import EventIdTaken, ExitCode, Failure, OutcomeUnknown
from choice_ledger.http.endpoints import Call, Endpoint, Parameter, Reply
from choice_ledger.http.problems import Fault, Problem
from choice_ledger.http.receipts import ANSWERS, IDEMPOTENCY_KEY, PROBLEMS, recorded, reply_of
from choice_ledger.http.service import Service
from choice_ledger.http.wordings import WORDINGS
from choice_ledger.http.write_bodies import ANY_ID, Written, read_body
from choice_ledger.http.write_schemas import NAME, body_schema
from choice_ledger.http.writes import DISCLOSURE, WITHDRAWAL, WRITES, Write
from choice_ledger.policy_publishing import withdrawal
from choice_ledger.recording import Receipt, record, record_both
from events.envelope import SELF, Actor, Medium
from events.instants import Micros
from events.line_fields import may_be_shown
from events.policy_events import PolicyAmended
from events.record_events import DisclosureMade
from ledger.commands import LETTER_MEDIA, Command, Heard, Refused, propose
from projections.reader import Enquiry

READ_AT_ONCE_BYTES_MAX: Final = 8_192
"""Bytes of a body that is read on the event loop; a longer one, with many faults, would hold others up."""

_JUDGED_TOGETHER: Final = frozenset(
    {"policy_id", "version", "effective_at", "purposes", "individual", "other", "from", "to"}
)
"""Fields that the ledger judges beside each other: where one is wrong, nothing is said of the others."""

_EARLIER: Final = (
    "must be left out, because it happens as it is recorded; a token with the scope officer may give it"
)
_BY_LETTER: Final = "must not be email, mail or verbal: those are entries of a token with the scope officer"


class Saying(NamedTuple):
    """A good body, and who says it."""

    call: Call
    written: Written
    heard: Heard

    @property
    def service(self) -> Service:
        """The service that is asked."""
        return self.call.service


Work: TypeAlias = Callable[[Saying], Receipt]


async def write(row: Write, work: Work, call: Call) -> Reply:
    """Carry out one call that records, and count what it came to. Raises Problem and Failure."""
    try:
        receipt = await _written(row, work, call)
    except Exception as fault:
        call.service.metrics.wrote(_kind_of(fault))
        raise
    outcome = "acknowledged" if receipt.void is None else "void"
    call.service.metrics.wrote("repeated" if receipt.repeated else outcome)
    return reply_of(receipt)


def _kind_of(fault: Exception) -> str:
    """The kind of problem that a fault comes to, as far as writes are counted by it."""
    match fault:
        case Problem():
            return fault.kind
        case EventIdTaken():
            return "event_id_taken"
        case OutcomeUnknown():
            return "unknown"
        case Failure(code=ExitCode.REFUSED):
            return "refused"
        case _:
            return "unavailable"


async def _written(row: Write, work: Work, call: Call) -> Receipt:
    read = partial(_understood, row, call)
    inline = len(call.raw) <= READ_AT_ONCE_BYTES_MAX and not _names_texts(call)
    written, heard = read() if inline else await call.service.read(read)
    async with call.service.idempotency.during(call) as event_id:
        own = msgspec.structs.replace(heard, event_id=event_id)
        saying = Saying(call, written, own)
        return await call.service.write(lambda: recorded(lambda: work(saying)))


def _names_texts(call: Call) -> bool:
    """Whether texts have to be looked up, which reads files."""
    return isinstance(call.body, dict) and "wording" in call.body


def _understood(row: Write, call: Call) -> tuple[Written, Heard]:
    """What is said, and by whom. Raises Problem ``refused`` with all that is wrong with the call."""
    now = call.service.ledger.clock()
    written = read_body(call.body, row.form, now)
    heard = _heard(row, written, call.caller)
    faults = [*written.faults, *_heard_faults(heard, call.caller, now)]
    faults += _missing_texts(written, call)
    if faults:
        faults += _refusals(row, written, heard, call, now)
        raise Problem("refused", errors=faults)
    return written, heard


def _heard(row: Write, written: Written, caller: Caller) -> Heard:
    """How an event was heard: all but what the body may say follows from the token."""
    occurred_at = None if written.given("occurred_at") is None else written.event.occurred_at
    medium: Medium = written.given("medium") or "api"
    entered = occurred_at is not None or medium in LETTER_MEDIA or not caller.may(row.scopes - {"officer"})
    return Heard(
        event_id=ANY_ID,
        tenant=caller.tenant,
        actor=_actor(row, written, caller, entered=entered),
        medium=medium,
        occurred_at=occurred_at,
        caused_by=written.event.caused_by,
    )


def _actor(row: Write, written: Written, caller: Caller, *, entered: bool) -> Actor:
    if spoken_by := written.given("spoken_by"):
        return Actor(kind=spoken_by)
    if entered or row.speech == "officer":
        return Actor(kind="officer", id=caller.name)
    return SELF if row.speech == "individual" else Actor(kind="service", id=caller.name)


def _heard_faults(heard: Heard, caller: Caller, now: Micros) -> list[Fault]:
    """Hold ``semantics.md``: "only an officer's entry and `import` may give an earlier `occurred_at`"."""
    faults = []
    if "officer" not in caller.scopes:
        if heard.occurred_at is not None:
            faults.append(Fault("occurred_at", _EARLIER))
        if heard.medium in LETTER_MEDIA:
            faults.append(Fault("medium", _BY_LETTER))
    elif heard.occurred_at is not None and heard.occurred_at > now:
        faults.append(Fault("occurred_at", "must not be in the future"))
    return faults


def _missing_texts(written: Written, call: Call) -> list[Fault]:
    """Every text of a version has to be there before the event that names it, and be the tenant's own.

    The tenant has handed it in, or a version of theirs names it already: of another's text a digest may be
    known, and neither the text nor that it is here may be learned by it.
    """
    event, ledger, tenant = written.event, call.service.ledger, call.caller.tenant
    if not isinstance(event, PolicyAmended) or not written.given("wording"):
        return []
    standing = ledger.tenant(tenant).standing.values()
    named = {digest for line in standing for version in line for digest in version.event.wording.values()}

    def is_there(digest: str) -> bool:
        is_own = digest in named or ledger.content.handed_in(tenant, digest)
        return is_own and _is_stored(ledger.content, digest)

    missing = [locale for locale, digest in event.wording.items() if not is_there(digest)]
    return [
        Fault(
            f"wording.{locale}" if may_be_shown(locale) else "wording",
            "must be the digest of a text that is stored; POST it to /v1/wordings first",
        )
        for locale in missing
    ]


def _is_stored(texts: ContentStore, digest: str) -> bool:
    try:
        texts.get(digest)
    except (ContentMissing, ContentDamaged):
        return False
    return True


def _refusals(row: Write, written: Written, heard: Heard, call: Call, now: Micros) -> list[Fault]:
    """What the ledger would refuse besides, as far as that does not rest on what is wrong already."""
    if not written.wrong.isdisjoint(_JUDGED_TOGETHER):
        return []
    now_heard = msgspec.structs.replace(heard, occurred_at=None)
    catalogue = call.service.ledger.catalogue
    refusals = (propose(command, now_heard, now, catalogue) for command in row.commands(written))
    return [
        Fault(refused.field, refused.message)
        for refused in refusals
        if isinstance(refused, Refused) and refused.field not in written.wrong
    ]


def record_commands(row: Write, saying: Saying) -> Receipt:
    """Record what the body alone says."""
    commands: tuple[Command, ...] = row.commands(saying.written)
    if len(commands) == 2:
        return record_both(saying.service.ledger, (commands[0], commands[1]), saying.heard)
    return record(saying.service.ledger, commands[0], saying.heard)


def record_withdrawal(saying: Saying) -> Receipt:
    """Record the next version of a policy, without purposes. Raises Problem ``not_found``."""
    ledger, heard = saying.service.ledger, saying.heard
    event = saying.written.event
    assert isinstance(event, PolicyAmended)
    effective_at = None if saying.written.given("effective_at") is None else event.effective_at
    held = ledger.find_of_policies(heard.tenant, heard.event_id)
    policy_id = saying.call.path["policy_id"]
    command = withdrawal(ledger.tenant(heard.tenant), policy_id, effective_at, held)
    if command is None:
        raise Problem("not_found", "No policy of this name is published.")
    return record(ledger, command, heard)


def record_disclosure(saying: Saying) -> Receipt:
    """Record a disclosure with what it relied on. Raises Problem ``use_denied``, naming the reason."""
    event, service = saying.written.event, saying.service
    assert isinstance(event, DisclosureMade)
    disclosed = Disclosed(
        individual=event.individual,
        recipient=event.recipient,
        purpose=event.purpose,
        data=() if saying.written.given("data") is None else event.data,
        at=None if saying.written.given("at") is None else event.at,
        although_denied=saying.written.given("although_denied") is True,
    )
    enquiry = Enquiry(
        tenant=saying.heard.tenant,
        individual=disclosed.individual,
        purpose=disclosed.purpose,
        recipient=disclosed.recipient,
        data=disclosed.data,
        at=disclosed.at,
    )
    relied = relying(
        service.ledger,
        disclosed,
        saying.heard,
        lambda: service.checks.answer_many([enquiry])[0],
        service.freshness.outside,
    )
    if isinstance(relied, UseDenied):
        raise Problem("use_denied", reason=relied.reason)
    return record(service.ledger, relied, saying.heard)


def _endpoint(
    row: Write, work: Work, problems: tuple[str, ...] = (), parameters: tuple[Parameter, ...] = ()
) -> Endpoint:
    return Endpoint(
        method="POST",
        path=row.path,
        operation=row.operation,
        summary=row.summary,
        tag=row.tag,
        answers=ANSWERS,
        problems=(*PROBLEMS, *problems),
        scopes=row.scopes,
        handler=partial(write, row, work),
        description=row.description,
        parameters=(*parameters, IDEMPOTENCY_KEY),
        body=body_schema(row.form),
        example=row.example,
    )


_POLICY_ID: Final = Parameter(
    name="policy_id", place="path", schema=NAME, description="Name of the policy.", required=True
)

WRITING: Final[tuple[Endpoint, ...]] = (
    *WORDINGS,
    *(_endpoint(row, partial(record_commands, row)) for row in WRITES),
    _endpoint(WITHDRAWAL, record_withdrawal, ("not_found",), (_POLICY_ID,)),
    _endpoint(DISCLOSURE, record_disclosure, ("use_denied",)),
)
"""The rows of this part."""
