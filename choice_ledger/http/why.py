"""``why``: a decision in plain words, in the reader's language, with the events that decided it."""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from choice_ledger.evidence import events_named
from choice_ledger.explaining import Explanation, explain
from choice_ledger.http.endpoints import JSON, Answered, Call, Endpoint, Reply
from choice_ledger.http.negotiation import language, looked_up
from choice_ledger.http.problems import Fault
from choice_ledger.http.question_schemas import FRESHNESS_PROPERTIES, QUESTION_PROPERTIES
from choice_ledger.http.questions import Check, Told, asking_beside, told
from choice_ledger.languages import LANGUAGES, Language, speech
from projections.decision import outside
from projections.reader import Answer

LANGUAGE_LENGTH_MAX: Final = 35
"""Characters of a language tag. RFC 5646, section 4.4.1: room for every tag in use."""


class Why(Explanation, frozen=True, kw_only=True):
    """A decision in sentences, in ``language``, and the same decision as data."""

    language: Language
    decision: Told


def _language_faults(where: str, value: object) -> Iterator[Fault]:
    if value is not None and not (isinstance(value, str) and 0 < len(value) <= LANGUAGE_LENGTH_MAX):
        yield Fault(where, f"must be a language tag of at most {LANGUAGE_LENGTH_MAX} characters, or null")


_BESIDE: Final[Mapping[str, Check]] = {"language": _language_faults}


async def _why(call: Call) -> Reply:
    asked = asking_beside(call.body, call.caller.tenant, _BESIDE)
    by = speech(_language(call))
    service = call.service
    wait_ms = service.ledger.settings.freshness_ms_max if asked.wait_ms is None else asked.wait_ms
    denied = await service.freshness.reached(asked.after, wait_ms)

    def explained() -> Why:
        answer = service.checks.answer_many((asked.enquiry,))[0]
        reason = denied or service.freshness.outside()
        if reason is not None:
            answer = answer._replace(decision=outside(reason))
        explanation = explain(answer.question, answer.decision, events_named(service.ledger, answer), by)
        return _told(answer, explanation, by.language)

    return Reply(content=await service.read(explained), headers={"Content-Language": by.language})


def _told(answer: Answer, explanation: Explanation, spoken: Language) -> Why:
    return Why(
        **msgspec.structs.asdict(explanation),
        language=spoken,
        decision=told(answer.decision, answer.position),
    )


def _language(call: Call) -> Language:
    """The language that the body names, or else ``Accept-Language``; English where neither is spoken."""
    named = call.body.get("language")
    if named is None:
        found = language(call.headers.get("accept-language"), LANGUAGES)
    else:
        found = looked_up(named, LANGUAGES)
    return next((spoken for spoken in LANGUAGES if spoken == found), LANGUAGES[0])


WHY: Final[tuple[Endpoint, ...]] = (
    Endpoint(
        method="POST",
        path="/v1/why",
        operation="why",
        summary="Explain a decision in plain words",
        description="The question is that of a check. `language` (or else `Accept-Language`) chooses English "
        "(`en`), German (`de`) or French (`fr`); any other is answered in English, and `Content-Language` "
        "says which it is.",
        tag="Read",
        scopes=frozenset({"audit", "officer"}),
        body={
            "type": "object",
            "required": ["individual", "purpose"],
            "additionalProperties": False,
            "properties": {
                **QUESTION_PROPERTIES,
                **FRESHNESS_PROPERTIES,
                "language": {
                    "type": ["string", "null"],
                    "minLength": 1,
                    "maxLength": LANGUAGE_LENGTH_MAX,
                    "description": "A language tag (RFC 5646).",
                },
            },
        },
        example={
            "individual": "ana",
            "purpose": "website.periodic_email",
            "recipient": "adco",
            "language": "en",
        },
        answers=(
            Answered(
                status=200,
                description="The explanation, and the decision itself.",
                content={JSON: msgspec.json.schema(Why)},
                headers={"Content-Language": "The language of the sentences."},
            ),
        ),
        problems=("refused",),
        handler=_why,
    ),
)
"""The rows of this part."""
