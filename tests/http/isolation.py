"""What one tenant can learn or change of another: everything that one recorded, tried by the next.

The owner makes every call of the table. The stranger, another tenant, makes the very same calls, with
the owner's ids of every kind, event ids included. The control, a third tenant, makes them with ids that
nobody has. Both have to be told the same, word for word, and nothing of the owner's may change.
"""

import hashlib
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import httpx
import msgspec

from choice_ledger.http.endpoints import Endpoint
from tests.http.matrix import IN_PATHS, name_of, request_of
from tests.http.serving import Served

OWNER: Final = "owner"
STRANGER: Final = "stranger"
CONTROL: Final = "control"

# The fields that hold an id which whoever writes chooses; each side of a body has its own.
CHOSEN: Final = frozenset(
    {
        "individual",
        "other",
        "notice_id",
        "restriction_id",
        "request_id",
        "complaint_id",
        "mandate_id",
        "holder",
        "intent_id",
        "event_id",
        "draft_sha256",
    }
)
# Policies have one name for all: two tenants may well call theirs the same.
_LAST: Final = ("/withdrawal", "/erasures")
_UUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_INSTANT: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z|\d+ [A-Z][a-z]+ \d{4}, \d\d:\d\d:\d\d(?:\.\d+)? UTC"
)
_OPAQUE: Final = frozenset({"position", "cursor", "next", "page", "next_token"})


@dataclass(frozen=True)
class Names:
    """The ids that a tenant uses: each of the examples' own ids has one in its place."""

    side: str

    def of(self, field: str, value: str) -> str:
        """The id that stands for one of an example. They are as long as one another, and sort alike."""
        if _UUID.fullmatch(value):
            return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.side}/{value}"))
        if field == "draft_sha256":
            return hashlib.sha256(f"{self.side}/{value}".encode()).hexdigest()
        return f"{self.side}-{value}"

    def within(self, body: Any, field: str = "") -> Any:
        """A body with every id in it changed."""
        if isinstance(body, dict):
            return {name: self._member(body, name) for name in body}
        if isinstance(body, list):
            return [self.within(item, field) for item in body]
        is_chosen = field in CHOSEN and isinstance(body, str)
        return self.of(field, body) if is_chosen else body

    def _member(self, body: Mapping[str, Any], name: str) -> Any:
        is_entity = name == "id" and body.get("type") == "individual"
        return self.within(body[name], "individual" if is_entity else name)


KNOWN: Final = Names("k7q")
UNKNOWN: Final = Names("u7q")
SMUGGLER: Final = Names("x7q")

Said = tuple[str, int, str]


def calls_of(endpoints: Iterable[Endpoint], names: Names) -> list[tuple[Endpoint, dict[str, Any]]]:
    """Every call of the table with the ids of a tenant; what ends a policy or a person comes last."""
    rows = sorted(endpoints, key=lambda row: row.path.endswith(_LAST))
    return [(row, _call_of(row, names)) for row in rows if not row.open and row.path != "/metrics"]


def _call_of(row: Endpoint, names: Names) -> dict[str, Any]:
    in_paths = {**IN_PATHS, "individual": names.of("individual", IN_PATHS["individual"])}
    request = request_of(row, in_paths)
    if "json" in request:
        body, schema = dict(names.within(request["json"])), dict[str, Any](row.body or {})
        if "event_id" in schema.get("properties", {}):
            body["event_id"] = names.of("event_id", str(uuid.uuid5(uuid.NAMESPACE_URL, row.operation)))
        request["json"] = body
    return request


def said_to(served: Served, tenant: str, endpoints: Iterable[Endpoint], names: Names) -> list[Said]:
    """What a tenant is told when it makes every call: each endpoint, its status and its answer."""
    with _client(served, tenant) as client:
        told = [(row, client.request(**request)) for row, request in calls_of(endpoints, names)]
    return [(name_of(row), answer.status_code, answer.text) for row, answer in told]


def plain(said: Iterable[Said], tenant: str, names: Names) -> list[Said]:
    """The same without what has to differ: the tenant, its ids, and the ids and instants that are made."""
    text = "\n".join(msgspec.json.encode(_masked(answer)).decode() for answer in said)
    made = {names.of("", str(uuid.uuid5(uuid.NAMESPACE_URL, name))): name for name, _, _ in said}
    numbers = count()
    seen: dict[str, str] = {}

    def numbered(found: re.Match[str]) -> str:
        return made.get(found.group()) or seen.setdefault(found.group(), f"id-{next(numbers)}")

    text = _INSTANT.sub("INSTANT", _UUID.sub(numbered, text))
    text = text.replace(f"{names.side}-", "own-").replace(tenant, "TENANT")
    return [msgspec.json.decode(line, type=Said) for line in text.split("\n")]


def _masked(said: Said) -> Said:
    """An answer without its positions and cursors, which tell where in the log it was given."""
    name, status, text = said
    if not _is_json(text):
        return said
    lines = [msgspec.json.decode(line) for line in text.splitlines()]
    # The log's slices are read side by side: their lines come in any order.
    lines.sort(key=lambda line: str(line.get("event", {}).get("recorded_at")))
    return name, status, msgspec.json.encode([_without(line) for line in lines]).decode()


def _shown(answer: httpx.Response) -> Said:
    return _masked(("", answer.status_code, answer.text))


def _is_json(text: str) -> bool:
    return text[:1] in {"{", "["}


def _without(value: Any, field: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _without(inner, name) for name, inner in value.items() if name not in _OPAQUE}
    if isinstance(value, list):
        return [_without(inner, field) for inner in value]
    return "DIGEST" if field == "draft_sha256" else value


def all_of(served: Served, tenant: str) -> str:
    """All that a tenant can read of what it has recorded."""
    with _client(served, tenant) as client:
        events = _masked(("", 200, client.get("/v1/events").text))
        individual = KNOWN.of("individual", IN_PATHS["individual"])
        history = _masked(("", 200, client.get(f"/v1/individuals/{individual}/history").text))
    return f"{events}\n{history}"


def isolation_findings(served: Served, endpoints: Iterable[Endpoint]) -> list[str]:
    """What a stranger learned or changed. The example policy must be in force for all three tenants."""
    rows = tuple(endpoints)
    said_to(served, OWNER, rows, KNOWN)
    before = all_of(served, OWNER)
    stranger = plain(said_to(served, STRANGER, rows, KNOWN), STRANGER, KNOWN)
    after_calls = all_of(served, OWNER)
    control = plain(said_to(served, CONTROL, rows, UNKNOWN), CONTROL, UNKNOWN)
    smuggled = smuggling_findings(served, rows)
    findings = [
        f"{name}: a stranger is told {status} {text}, and {unlike[1]} {unlike[2]} of an unknown id"
        for (name, status, text), unlike in zip(stranger, control, strict=True)
        if (name, status, text) != unlike
    ]
    if after_calls != before:
        findings.append("what the owner recorded changed by a stranger's calls")
    if OWNER in all_of(served, STRANGER):
        findings.append("what a stranger reads names the owner")
    return findings + smuggled


def smuggling_findings(served: Served, endpoints: Iterable[Endpoint]) -> list[str]:
    """Where the tenant is taken from the call: from its body, its address or a header."""
    findings = []
    before = all_of(served, OWNER)
    with _client(served, STRANGER) as client:
        for row, request in calls_of(endpoints, SMUGGLER):
            for where, smuggle in SMUGGLED.items():
                answer = client.request(**smuggle(request))
                # What is passed over, as AuthZEN has it of unknown members, must change nothing.
                is_same = row.asgi is not None and _shown(answer) == _shown(client.request(**request))
                if where != "header" and answer.status_code < 400 and not is_same:
                    findings.append(f"{name_of(row)}: a tenant in the {where} is taken: {answer.status_code}")
                if OWNER in answer.text:
                    findings.append(f"{name_of(row)}: a tenant in the {where} is answered")
    if all_of(served, OWNER) != before:
        findings.append("what the owner recorded changed by a tenant in a call")
    return findings


def _in_body(request: Mapping[str, Any]) -> dict[str, Any]:
    return {**request, "json": {**request.get("json", {}), "tenant": OWNER}}


def _in_query(request: Mapping[str, Any]) -> dict[str, Any]:
    return {**request, "params": {"tenant": OWNER}}


def _in_header(request: Mapping[str, Any]) -> dict[str, Any]:
    return {**request, "headers": {"X-Tenant": OWNER, "Tenant": OWNER, "X-Tenant-Id": OWNER}}


SMUGGLED: Final[Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "body": _in_body,
    "query": _in_query,
    "header": _in_header,
}


def _client(served: Served, tenant: str) -> httpx.Client:
    token = served.token(tenant=tenant)
    return httpx.Client(base_url=served.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)
