"""Holds every answer of every test against the OpenAPI document: what it does not say must not happen."""

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from typing import Any

import httpx
import jsonschema_rs

from choice_ledger.http.endpoints import Endpoint
from choice_ledger.http.openapi import document
from choice_ledger.http.table import ENDPOINTS

# What an address without an endpoint, or a method that it does not have, ends in: no operation documents it.
BEYOND_THE_TABLE = frozenset({404, 405})
NO_BODY = frozenset({204, 304})


class Document:
    """The document that some rows make, with what is needed to hold answers against it."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self.content: dict[str, Any] = json.loads(json.dumps(document(endpoints)))
        self._validators: dict[tuple[str, ...], jsonschema_rs.Validator] = {}

    @cached_property
    def paths(self) -> list[tuple[re.Pattern[str], str]]:
        """How an address is known: those without a parameter go first, as in a router."""
        ordered = sorted(self.content["paths"], key=lambda path: (path.count("{"), path))
        return [(re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))), path) for path in ordered]

    def operation_of(self, method: str, address: str) -> dict[str, Any] | None:
        """The operation that a call means, if the document has one."""
        for pattern, path in self.paths:
            if pattern.fullmatch(address) and method.lower() in self.content["paths"][path]:
                found: dict[str, Any] = self.content["paths"][path][method.lower()]
                return found
        return None

    def validator(self, schema: Mapping[str, object]) -> jsonschema_rs.Validator:
        """What holds values against a schema of the document."""
        whole = {**schema, "components": self.content["components"]}
        return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)

    def faults_of_example(self, operation: Mapping[str, Any]) -> list[str]:
        """What is wrong with the examples of an operation's body, one for each type of it."""
        return [
            str(fault.message)
            for media in operation["requestBody"]["content"].values()
            for fault in self.validator(media["schema"]).iter_errors(media["example"])
        ]

    def faults_of(self, response: httpx.Response, *, with_content: bool = True) -> list[str]:
        """Everything in which an answer is not as documented.

        HEAD is GET without content; what OPTIONS answers no operation documents.
        """
        request = response.request
        if request.method == "OPTIONS":
            return []
        method, with_content = ("GET", False) if request.method == "HEAD" else (request.method, with_content)
        operation = self.operation_of(method, request.url.path)
        if operation is None:
            return [] if response.status_code in BEYOND_THE_TABLE else ["is in no document"]
        documented = operation["responses"].get(str(response.status_code))
        if documented is None:
            return [f"{response.status_code} is not documented: {response.text if with_content else ''}"]
        faults = self._faults_of_headers(documented, response)
        if with_content and response.status_code not in NO_BODY:
            key = (operation["operationId"], str(response.status_code))
            faults += self._faults_of_content(key, documented, response)
        return faults

    def _faults_of_headers(self, documented: Mapping[str, Any], response: httpx.Response) -> list[str]:
        headers = {name: self._header(header) for name, header in documented.get("headers", {}).items()}
        missing = [n for n, header in headers.items() if header.get("required") and n not in response.headers]
        return [f"the header {name} is missing" for name in missing]

    def _header(self, header: dict[str, Any]) -> dict[str, Any]:
        name = header.get("$ref", "").rpartition("/")[2]
        found: dict[str, Any] = self.content["components"]["headers"][name] if name else header
        return found

    def _faults_of_content(
        self, key: tuple[str, ...], documented: Mapping[str, Any], response: httpx.Response
    ) -> list[str]:
        media_type = response.headers.get("content-type", "").partition(";")[0].strip()
        content = documented.get("content", {})
        if media_type not in content:
            return [f"{media_type or 'no type'} is not documented for {response.status_code}"]
        key = (*key, media_type)
        if key not in self._validators:
            self._validators[key] = self.validator(content[media_type]["schema"])
        return [
            f"{fault.message} (at {'/'.join(map(str, fault.instance_path))})"
            for value in values_of(media_type, response)
            for fault in self._validators[key].iter_errors(value)
        ]


def values_of(media_type: str, response: httpx.Response) -> list[Any]:
    """What a schema speaks of: the JSON document, each line's, or the text."""
    if media_type.endswith("json") and "ndjson" not in media_type:
        return [json.loads(response.content)]
    if "ndjson" in media_type:
        return [json.loads(line) for line in response.content.splitlines()]
    return [response.text]


@cache
def the_document() -> Document:
    """The document of the service as it is."""
    return Document(ENDPOINTS)


class DocumentedClient(httpx.Client):
    """A client of a test. Each answer that it gets is held against the document: status, type and schema.

    Of a streamed answer only status and headers are, since reading it is the test's own affair.
    """

    def send(self, request: httpx.Request, *, stream: bool = False, **more: Any) -> httpx.Response:
        response = super().send(request, stream=stream, **more)
        assert_documented(response, with_content=not stream)
        return response


def assert_documented(response: httpx.Response, *, with_content: bool = True) -> None:
    """Hold an answer against the document of the service."""
    faults = the_document().faults_of(response, with_content=with_content)
    called = f"{response.request.method} {response.request.url.path}"
    assert not faults, f"{called} answered otherwise than documented: {faults}"
