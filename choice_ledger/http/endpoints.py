"""What an endpoint is: one row of the table from which routes, checks of scopes and OpenAPI are made."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from choice_ledger.access import Caller, Scope
from choice_ledger.http.bodies import BODY_BYTES_MAX
from choice_ledger.http.service import Service

Method: TypeAlias = Literal["GET", "POST", "PUT", "DELETE"]
JSON: Final = "application/json"
TEXT: Final = "text/plain"
NDJSON: Final = "application/x-ndjson"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call, after its token, scope, limits and syntax were found good.

    ``address`` is path and query as they were sent; ``headers`` have names in lower case.
    ``body`` is the JSON document as it was sent (none: the endpoint takes none); ``raw`` its bytes.
    ``caller`` is there on every endpoint but an open one, where asking for it is a defect.
    """

    service: Service
    request_id: str
    method: str
    address: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any = None
    raw: bytes = b""
    who: Caller | None = None

    @property
    def caller(self) -> Caller:
        """Who calls. Raises LookupError on an open endpoint."""
        if self.who is None:
            raise LookupError("an open endpoint has no caller; give it scopes")
        return self.who


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a call comes to: a document to be written as JSON, or bytes, or lines that are streamed."""

    status: int = 200
    content: object = None
    raw: bytes | None = None
    lines: AsyncIterator[bytes] | Iterator[bytes] | None = None
    media_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


Handler: TypeAlias = Callable[[Call], Awaitable[Reply]]

AsgiApp: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of the path, the query or a header, with its JSON Schema."""

    name: str
    place: Literal["path", "query", "header"]
    schema: Mapping[str, object]
    description: str
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One way in which an endpoint answers: a status with the JSON Schema of its content, by media type."""

    status: int
    description: str
    content: Mapping[str, Mapping[str, object]]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One row: ``method`` and ``path`` (``/v1/individuals/{individual}/history``) and all that is true of it.

    ``scopes`` are those of which a caller needs one; an empty set with ``open`` false asks for a token alone.
    ``open``: no token is asked for. ``asgi`` makes a bare ASGI handler that looks after token, limits and
    syntax itself (the hot path); else ``handler`` is called once all of those were found good.
    ``body`` is the JSON Schema of the body, and none means that none is taken. ``text_too``: the body may be
    plain text as well, which the handler finds in ``raw`` alone.
    """

    method: Method
    path: str
    operation: str
    summary: str
    tag: str
    answers: tuple[Answered, ...]
    problems: tuple[str, ...] = ()
    scopes: frozenset[Scope] = frozenset()
    open: bool = False
    handler: Handler | None = None
    asgi: Callable[[Service], AsgiApp] | None = None
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Mapping[str, object] | None = None
    body_media_type: str = JSON
    text_too: bool = False
    body_bytes_max: int = BODY_BYTES_MAX
    example: object = None
