"""Pages for people: the OpenAPI document and the problems, made on the server.

A page needs no script, loads nothing from anywhere, and says so itself (`Content-Security-Policy`): its style
stands in it, and is allowed by its digest alone.
"""

import base64
import hashlib
import json
import shlex
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

import jinja2
from markupsafe import Markup, escape

from choice_ledger.http.endpoints import Endpoint
from choice_ledger.http.openapi import problems_of
from choice_ledger.http.problems import KINDS

HTML: Final = "text/html"
ADDRESS: Final = "http://127.0.0.1:8700"
"""Where examples find the service: the settings' own default."""


@cache
def _environment() -> jinja2.Environment:
    """The templates. Whatever they print is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("choice_ledger.http", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = prose
    return environment


def prose(text: str) -> Markup:
    """A sentence for a page: what stands in back-ticks is code, and everything is escaped."""
    pieces = [escape(piece) for piece in text.split("`")]
    code = Markup("<code>{}</code>")
    return Markup("").join(code.format(piece) if i % 2 else piece for i, piece in enumerate(pieces))


@cache
def _style() -> str:
    """The style of every page."""
    text, _, _ = _environment().loader.get_source(_environment(), "page.css")  # type: ignore[union-attr]  # The environment has the loader that it was made with.
    return text


def page_headers() -> dict[str, str]:
    """What a browser is told of every page: nothing may be loaded, run, framed or sent from it."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode("ascii")
    rules = (
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    return {"Content-Security-Policy": "; ".join(rules), "Referrer-Policy": "no-referrer"}


def problem_told(kind: str) -> dict[str, object]:
    """What is told of a kind of problem, beyond any one call."""
    row = KINDS[kind]
    return {
        "type": f"/problems/{kind}",
        "status": row.status,
        "title": row.title,
        "when": row.when,
        "remedy": row.remedy,
        "retry": row.retry,
    }


def problem_page(kind: str) -> bytes:
    """The page of one kind of problem."""
    told = problem_told(kind)
    return _page("problem.html", title=f"{KINDS[kind].title}: choice ledger", problem=told)


def docs_page(document: Mapping[str, Any], rows: Iterable[Endpoint]) -> bytes:
    """The page that shows the OpenAPI document of these rows."""
    shown = [_shown(row, document) for row in rows]
    tags = [
        (tag["name"], [operation for operation in shown if operation["tag"] == tag["name"]])
        for tag in document["tags"]
    ]
    return _page(
        "docs.html",
        title="Choice ledger: HTTP",
        info=document["info"],
        tags=tags,
        problems=[(kind, problem_told(kind)) for kind in KINDS],
        schemas=document["components"]["schemas"],
    )


def _page(template: str, **values: object) -> bytes:
    style = Markup(_style())  # noqa: S704 - our own file, which a style sheet must be given as it stands
    return _environment().get_template(template).render(style=style, **values).encode()


def _shown(row: Endpoint, document: Mapping[str, Any]) -> dict[str, Any]:
    """One operation as the page shows it."""
    operation = document["paths"][row.path][row.method.lower()]
    responses = operation["responses"]
    return {
        "id": row.operation,
        "tag": row.tag,
        "method": row.method,
        "path": row.path,
        "summary": row.summary,
        "description": operation["description"],
        "who": who_may(row),
        "parameters": operation.get("parameters", []),
        "body": operation.get("requestBody", {"content": {}})["content"],
        "curl": curl_of(row),
        "answers": [(answer.status, responses[str(answer.status)]) for answer in row.answers],
        "problems": problems_of(row),
    }


def who_may(row: Endpoint) -> str:
    """Who may call, in a sentence."""
    if row.open:
        return "Open: no token is asked for."
    if not row.scopes:
        return "Any token will do."
    return f"A token with the scope {' or '.join(sorted(row.scopes))}."


def curl_of(row: Endpoint) -> str:
    """The call as a line of curl, with the examples of the table."""
    path = row.path
    for parameter in row.parameters:
        if parameter.place == "path":
            path = path.replace(f"{{{parameter.name}}}", str(_example(parameter.schema, parameter.name)))
    query = "&".join(
        f"{parameter.name}={_example(parameter.schema, parameter.name)}"
        for parameter in row.parameters
        if parameter.place == "query" and parameter.required
    )
    parts = ["curl", "-sS", shlex.quote(f"{ADDRESS}{path}" + (f"?{query}" if query else ""))]
    if not row.open:
        parts.append('-H "Authorization: Bearer $TOKEN"')
    if row.body is not None:
        parts.append(f"-H {shlex.quote(f'Content-Type: {row.body_media_type}')}")
        parts.append(f"-d {shlex.quote(json.dumps(row.example, ensure_ascii=False))}")
    return " ".join(parts)


def _example(schema: Mapping[str, Any], name: str) -> object:
    """An example of a parameter: its schema's, or its name where the schema has none."""
    for found in (schema.get("examples", [None])[0], schema.get("default"), *schema.get("enum", [])[:1]):
        if found is not None:
            return found
    return f"<{name}>"
