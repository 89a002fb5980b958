"""What the service says of itself: its OpenAPI document, a page that shows it, and one for each problem."""

from functools import cache
from typing import Any, Final

import msgspec

from choice_ledger.http.endpoints import JSON, Answered, Call, Endpoint, Handler, Parameter, Reply
from choice_ledger.http.negotiation import media_type
from choice_ledger.http.openapi import document
from choice_ledger.http.pages import HTML, docs_page, page_headers, problem_page, problem_told
from choice_ledger.http.problems import KINDS, Problem

_TAG: Final = "Documentation"
_PAGE: Final[dict[str, Any]] = {HTML: {"type": "string"}}
_PAGE_HEADERS: Final = {"Content-Security-Policy": "What a browser may load for the page: nothing."}
_OPENAPI: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"openapi": {"type": "string"}, "info": {"type": "object"}, "paths": {"type": "object"}},
    "required": ["openapi", "info", "paths", "components"],
}
_KIND: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "description": "What problems of this kind have as their `type`."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "title": {"type": "string"},
        "when": {"type": "string", "description": "When it happens."},
        "remedy": {"type": "string", "description": "What to do about it."},
        "retry": {"type": "boolean", "description": "Whether the same call may be sent again as it stands."},
    },
    "required": ["type", "status", "title", "when", "remedy", "retry"],
    "additionalProperties": False,
}


def documenting(rows: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
    """The rows that document all the others, and themselves."""

    @cache
    def written() -> bytes:
        return msgspec.json.encode(document((*rows, *own)))

    @cache
    def shown() -> bytes:
        return docs_page(document((*rows, *own)), (*rows, *own))

    async def openapi(call: Call) -> Reply:
        return Reply(raw=await call.service.read(written))

    async def docs(call: Call) -> Reply:
        return Reply(raw=await call.service.read(shown), media_type=HTML, headers=page_headers())

    own = (_openapi_row(openapi), _docs_row(docs), _PROBLEM_ROW)
    return own


def _openapi_row(handler: Handler) -> Endpoint:
    answer = Answered(status=200, description="An OpenAPI 3.1 document.", content={JSON: _OPENAPI})
    return Endpoint(
        method="GET",
        path="/openapi.json",
        operation="openapi",
        summary="The OpenAPI document of this service",
        tag=_TAG,
        answers=(answer,),
        open=True,
        handler=handler,
    )


def _docs_row(handler: Handler) -> Endpoint:
    answer = Answered(status=200, description="A page.", content=_PAGE, headers=_PAGE_HEADERS)
    return Endpoint(
        method="GET",
        path="/docs",
        operation="docs",
        summary="This documentation, as a page",
        tag=_TAG,
        answers=(answer,),
        open=True,
        handler=handler,
    )


async def _problem(call: Call) -> Reply:
    kind = call.path["kind"]
    if kind not in KINDS:
        raise Problem("not_found")
    wanted = media_type(call.headers.get("accept"), (JSON, HTML))
    if wanted is None:
        raise Problem("not_acceptable")
    if wanted == JSON:
        return Reply(content=problem_told(kind))
    return Reply(raw=problem_page(kind), media_type=HTML, headers=page_headers())


_PROBLEM_ROW: Final = Endpoint(
    method="GET",
    path="/problems/{kind}",
    operation="problem",
    summary="What a kind of problem means, and what to do about it",
    tag=_TAG,
    description="A page for a browser and JSON for a program, as `Accept` asks.",
    answers=(Answered(status=200, description="The kind of problem.", content={JSON: _KIND, **_PAGE}),),
    problems=("not_found", "not_acceptable"),
    parameters=(
        Parameter(
            name="kind",
            place="path",
            schema={"type": "string", "enum": list(KINDS)},
            description="The kind, as it stands at the end of a problem's `type`.",
        ),
    ),
    open=True,
    handler=_problem,
)
