"""The reference pages that are made from tables: `make reference` writes them, a test holds them current."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from choice_ledger.http.endpoints import Endpoint
from choice_ledger.http.openapi import (
    PROBLEMS_OF_ALL,
    PROBLEMS_OF_BODIES,
    PROBLEMS_OF_SCOPES,
    PROBLEMS_OF_TOKENS,
    PROBLEMS_WITHOUT_BODIES,
    document,
)
from choice_ledger.http.pages import who_may
from choice_ledger.http.problems import KINDS
from choice_ledger.http.table import ENDPOINTS
from tests.tidy.source import ROOT

REFERENCE = ROOT / "docs" / "reference"
MADE = "<!-- Made by `make reference` from the service's own tables. -->"

PROBLEMS_HEAD = f"""\
# Problems

{MADE}

Whatever goes wrong with a call ends as a problem (RFC 9457): `application/problem+json` with `type`, `title`,
`status`, `detail`, `remedy` and `request_id`, with every fault of the request in `errors` (`field` and
`message`), and further members where the OpenAPI document says so. Nothing in a problem repeats a
value of the request. The service explains each type at the very address that `type` is.

*Again* says whether the same call may be sent again as it stands, after the seconds that `Retry-After` names.

| status | type | what | when | what to do | again |
|---|---|---|---|---|---|
"""

HTTP_HEAD = f"""\
# HTTP

{MADE}

`choice-ledger serve` answers at the address that the [settings](settings.md) name. It documents itself:
`/openapi.json` is an OpenAPI 3.1 document, and `/docs` shows it with every field and an example of each call,
loading nothing from elsewhere. [Problems](problems.md) lists every refusal, and the
[tutorial](../tutorial/http.md) is a first use in ten calls.

- **Who calls** follows from the token alone (`Authorization: Bearer <token>`): the tenant too, and the name
  under which an officer or a service is recorded. `choice-ledger token create` makes one, for some scopes.
- **Instants** are RFC 3339 in UTC, durations ISO 8601. Names that an endpoint does not know are refused.
- **A position** is opaque. A receipt's, passed back as `after`, makes an answer at least as fresh; `wait_ms`
  bounds the wait.
- **Writing** answers with a receipt: 201 for what is new, 200 for what was recorded before under the same id.
  `event_id` in the body, or an `Idempotency-Key`, makes it safe to send the same call again.
- **`X-Request-Id`** is answered with every call, and stands in its problem and in the log.
"""


def problems_page() -> str:
    """`problems.md`."""
    return PROBLEMS_HEAD + "".join(
        f"| {row.status} | `/problems/{kind}` | {row.title} | {row.when} | {row.remedy} | {again} |\n"
        for kind, row in KINDS.items()
        for again in ["yes" if row.retry else ""]
    )


def http_page() -> str:
    """`http.md`."""
    lines = [HTTP_HEAD, *_common()]
    for tag in dict.fromkeys(row.tag for row in ENDPOINTS):
        lines += [f"\n## {tag}\n"]
        for row in ENDPOINTS:
            if row.tag == tag:
                lines += _operation(row)
    return "\n".join(lines) + "\n"


def _common() -> Iterator[str]:
    yield "\n## What every call can end in\n"
    yield "| call | problems |\n|---|---|"
    for call, kinds in (
        ("any", PROBLEMS_OF_ALL),
        ("one that needs a token", PROBLEMS_OF_TOKENS),
        ("one that needs a scope", PROBLEMS_OF_SCOPES),
        ("one with a body", PROBLEMS_OF_BODIES),
        ("one that takes no body", PROBLEMS_WITHOUT_BODIES),
    ):
        yield f"| {call} | {_codes(kinds)} |"
    yield "\nThe problems below are those that an endpoint has besides."


def _operation(row: Endpoint) -> Iterator[str]:
    yield f"### `{row.method} {row.path}`\n"
    yield f"{row.summary}. {row.description}".strip() + "\n"
    yield f"- {who_may(row)}"
    for parameter in row.parameters:
        needed = ", required" if parameter.required or parameter.place == "path" else ""
        yield f"- `{parameter.name}` ({parameter.place}{needed}): {parameter.description}"
    if row.body is not None:
        yield f"- Body (`{row.body_media_type}`, at most {row.body_bytes_max:,} bytes): {_fields(row)}"
    for answer in row.answers:
        yield f"- {answer.status} ({_codes(answer.content) or 'no content'}): {answer.description}"
    if row.problems:
        yield f"- Problems: {_codes(kind for kind in KINDS if kind in row.problems)}"
    yield ""


def _fields(row: Endpoint) -> str:
    """The names of a body's fields; those that it must have are marked."""
    whole = document([row])
    schema = row.body or {}
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    found = whole["components"]["schemas"].get(name, schema)
    needed = found.get("required", ())
    fields = found.get("properties", {})
    told = (f"`{field}`" + (" (required)" if field in needed else "") for field in fields)
    return ", ".join(told) or "as its schema says"


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


PAGES: dict[Path, Callable[[], str]] = {
    REFERENCE / "problems.md": problems_page,
    REFERENCE / "http.md": http_page,
}


def write() -> None:
    """Write every page."""
    for path, made in PAGES.items():
        path.write_text(made(), encoding="utf-8")


if __name__ == "__main__":
    write()
