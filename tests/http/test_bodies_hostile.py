"""Bodies that are made to do harm: each ends in the right problem, soon, and in little memory."""

import gzip
import json
import resource
import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from choice_ledger.http.bodies import BODY_BYTES_MAX, NESTING_MAX
from tests.http.matrix import kind_of
from tests.http.serving import Served

# A bare handler of the hot path, an ordinary one, and one of AuthZEN's: all read bodies by the same rules.
ADDRESSES = ("/v1/check", "/v1/choices", "/access/v1/evaluation")
# Far more than any takes on a machine that has nothing else to do, and far less than one that never ends.
CALL_S_MAX = 10.0
GOOD = b'{"individual": "ana", "purpose": "website.email"}'


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[httpx.Client]:
    """A client with every scope, whose answers nobody holds against a document."""
    headers = {"Authorization": f"Bearer {served.token()}", "Content-Type": "application/json"}
    with httpx.Client(base_url=served.url, headers=headers, timeout=30) as caller:
        yield caller


def nested(levels: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return b'{"individual":' + opening * (levels - 1) + closing * (levels - 1) + b"}"


BROKEN: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "malformed_json"),
    "blanks": (b" \n\t ", "malformed_json"),
    "cut": (GOOD[:-1], "malformed_json"),
    "two documents": (GOOD + GOOD, "malformed_json"),
    "a comma too many": (b'{"individual": "ana",}', "malformed_json"),
    "single quotes": (b"{'individual': 'ana'}", "malformed_json"),
    "a comment": (b'{"individual": "ana" /* or bob */}', "malformed_json"),
    "NaN": (b'{"individual": NaN}', "malformed_json"),
    "Infinity": (b'{"individual": Infinity}', "malformed_json"),
    "minus Infinity": (b'{"individual": -Infinity}', "malformed_json"),
    "a number beyond any float": (b'{"individual": 1e999999}', "malformed_json"),
    "a hexadecimal number": (b'{"individual": 0x1F}', "malformed_json"),
    "a leading zero": (b'{"individual": 01}', "malformed_json"),
    "a control character": (b'{"individual": "a\x00na"}', "malformed_json"),
    "a lone surrogate, escaped": (b'{"individual": "\\ud800"}', "malformed_json"),
    "a lone low surrogate, escaped": (b'{"individual": "\\udc00x"}', "malformed_json"),
    "surrogates in the wrong order": (b'{"individual": "\\udc00\\ud800"}', "malformed_json"),
    "a lone surrogate as a name": (b'{"\\ud800": 1}', "malformed_json"),
    "a lone surrogate, raw": (b'{"individual": "\xed\xa0\x80"}', "malformed_json"),
    "bytes that are no UTF-8": (b'{"individual": "\xff\xfe"}', "malformed_json"),
    "an over-long encoding": (b'{"individual": "\xc0\xaf"}', "malformed_json"),
    "Latin-1": ('{"individual": "é"}'.encode("latin-1"), "malformed_json"),
    "UTF-16": (GOOD.decode().encode("utf-16"), "malformed_json"),
    "UTF-16 without a mark": (GOOD.decode().encode("utf-16-le"), "malformed_json"),
    "UTF-32": (GOOD.decode().encode("utf-32"), "malformed_json"),
    "a byte order mark": (b"\xef\xbb\xbf" + GOOD, "malformed_json"),
    "a name twice": (b'{"individual": "ana", "individual": "bob"}', "duplicate_name"),
    "a name twice, once escaped": (b'{"individual": "ana", "\\u0069ndividual": "bob"}', "duplicate_name"),
    "a name twice, deep within": (b'{"individual": {"a": [{"b": 1, "b": 2}]}}', "duplicate_name"),
    "a name twice with a colon": (b'{"a:": 1, "a:": 2, "b": ":"}', "duplicate_name"),
    "a name twice with an escaped colon": (b'{"a\\u003a": 1, "a:": 2}', "duplicate_name"),
    "a level too many of lists": (nested(NESTING_MAX + 1), "nested_too_deeply"),
    "a level too many of objects": (
        nested(NESTING_MAX + 1, b'{"a":', b"}").replace(b":}", b":1}"),
        "nested_too_deeply",
    ),
    "a hundred thousand levels": (nested(100_000), "nested_too_deeply"),
    "a megabyte of brackets": (b"[" * (BODY_BYTES_MAX - 1), "nested_too_deeply"),
    "a megabyte of braces": (b'{"a":' * (BODY_BYTES_MAX // 5), "nested_too_deeply"),
    "brackets that hide behind a text": (b'{"a":"\\\\",' + b'"b":' + b"[" * 100_000, "nested_too_deeply"),
}


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(("body", "kind"), BROKEN.values(), ids=BROKEN)
def test_a_broken_body_is_refused_for_what_it_is(
    client: httpx.Client, address: str, body: bytes, kind: str
) -> None:
    """Each ends as its own problem, soon, and the answer repeats nothing of it."""
    begun = time.monotonic()
    answer = client.post(address, content=body)
    assert time.monotonic() - begun < CALL_S_MAX
    assert (answer.status_code, kind_of(answer)) == (400, kind), answer.text[:500]
    assert "bob" not in answer.text


LARGE = {
    "an integer of a million digits": b'{"individual": ' + b"9" * 1_000_000 + b"}",
    "a fraction of a million digits": b'{"individual": 0.' + b"1" * 1_000_000 + b"}",
    "a text of a megabyte": b'{"individual": "' + b"a" * 1_000_000 + b'"}',
    "a text of escapes": b'{"individual": "' + b"\\u0061" * 160_000 + b'"}',
    "a name of a megabyte": b'{"' + b"a" * 1_000_000 + b'": 1}',
    "a hundred thousand names": b"{" + b",".join(b'"n%d":1' % n for n in range(80_000)) + b"}",
    "a list of half a million": b'{"purposes": [' + b"0," * 500_000 + b"0]}",
    "many small lists": b'{"purposes": [' + b"[]," * 300_000 + b"[]]}",
    "texts full of brackets": b'{"purposes": ["' + b"[{" * 400_000 + b'"]}',
    "texts full of colons": b'{"individual": "' + b":" * 1_000_000 + b'"}',
}


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("body", LARGE.values(), ids=LARGE)
def test_a_large_body_is_refused_soon(client: httpx.Client, address: str, body: bytes) -> None:
    """Within the limit of bytes nothing takes long, and the answer stays small."""
    assert len(body) <= BODY_BYTES_MAX
    begun = time.monotonic()
    answer = client.post(address, content=body)
    assert time.monotonic() - begun < CALL_S_MAX
    assert answer.status_code in {400, 422}
    assert len(answer.content) < 64 * 1024


def test_a_nested_body_is_read_to_its_greatest_depth(client: httpx.Client) -> None:
    """The deepest body that is read is refused for what it says, and not for its depth."""
    answer = client.post("/v1/choices", content=nested(NESTING_MAX))
    assert (answer.status_code, kind_of(answer)) == (422, "refused")


@pytest.mark.parametrize("address", ADDRESSES)
def test_brackets_within_texts_are_no_levels(client: httpx.Client, address: str) -> None:
    """A text may hold as many brackets as it likes."""
    body = json.dumps({"individual": "[" * 100}).encode()
    assert kind_of(client.post(address, content=body)) != "nested_too_deeply"


@pytest.mark.parametrize("address", ADDRESSES)
def test_the_largest_body_is_read_and_a_larger_one_is_not(client: httpx.Client, address: str) -> None:
    """A body of the greatest size is read; one byte more is refused, told its size or not."""
    full = GOOD.ljust(BODY_BYTES_MAX)
    assert client.post(address, content=full).status_code != 413
    for content in (full + b" ", iter([full, b" "])):
        answer = client.post(address, content=content)
        assert (answer.status_code, kind_of(answer)) == (413, "body_too_large")
        assert answer.json()["limit"] == BODY_BYTES_MAX


ENCODINGS = ("gzip", "deflate", "br", "zstd", "gzip, gzip", "aws-chunked")


@pytest.mark.parametrize("address", ADDRESSES[:2])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_compressed_body_is_not_read(client: httpx.Client, address: str, encoding: str) -> None:
    """What a few bytes may become is not found out: no encoding is undone."""
    bomb = gzip.compress(b"[" * 50_000_000, 9)
    answer = client.post(address, content=bomb, headers={"Content-Encoding": encoding})
    assert (answer.status_code, kind_of(answer)) == (415, "unsupported_media_type")


def test_a_compressed_body_is_not_read_by_authzen_either(client: httpx.Client) -> None:
    """There a fault of the request has one status."""
    answer = client.post(ADDRESSES[2], content=gzip.compress(GOOD), headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 400


TYPES = (
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=a",
    "application/json; charset=utf-16",
    "application/json; charset=latin-1",
    "application/jsonx",
    "text/json",
    "application/xml",
    "",
)


@pytest.mark.parametrize("address", ADDRESSES[:2])
@pytest.mark.parametrize("media_type", TYPES)
def test_a_body_of_another_type_is_not_read(client: httpx.Client, address: str, media_type: str) -> None:
    """Only JSON in UTF-8 is read, which no form of a web page can send."""
    answer = client.post(address, content=GOOD, headers={"Content-Type": media_type})
    assert (answer.status_code, kind_of(answer)) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "media_type", ["application/json; charset=utf-8", 'Application/JSON; Charset="UTF-8"']
)
def test_the_type_is_read_as_the_rules_of_types_have_it(client: httpx.Client, media_type: str) -> None:
    """Case and quotes mean nothing in a media type."""
    answer = client.post("/v1/check", content=GOOD, headers={"Content-Type": media_type})
    assert answer.status_code == 200


def test_a_flood_of_bombs_takes_no_memory(client: httpx.Client) -> None:
    """After many more hostile bodies the process, which is the test's own, is hardly larger than before."""
    bombs = (nested(100_000), LARGE["texts full of brackets"], LARGE["a list of half a million"])

    def flood() -> int:
        for body in bombs * 3:
            assert client.post("/v1/check", content=body).status_code in {400, 422}
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024

    before, after = flood(), flood()
    assert after - before < 32 * BODY_BYTES_MAX


def test_others_are_answered_while_bombs_arrive(served: Served, client: httpx.Client) -> None:
    """A body that promises much and sends nothing holds up nobody else."""
    host, port = served.url.removeprefix("http://").split(":")
    authorization = client.headers["Authorization"]
    head = (
        f"POST /v1/check HTTP/1.1\r\nHost: {host}\r\nAuthorization: {authorization}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {BODY_BYTES_MAX}\r\n\r\n["
    )
    waiting = [socket.create_connection((host, int(port))) for _ in range(50)]
    try:
        for connection in waiting:
            connection.sendall(head.encode())
        begun = time.monotonic()
        assert client.post("/v1/check", content=GOOD).status_code == 200
        assert time.monotonic() - begun < CALL_S_MAX
    finally:
        for connection in waiting:
            connection.close()
