"""What every call goes through: its id, address, headers and body, and what becomes of a fault."""

import socket
import time
import uuid
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import httpx
import pytest

from choice_ledger.http import gate
from choice_ledger.http.addresses import QUERY_BYTES_MAX
from choice_ledger.http.gate import REQUEST_ID_LENGTH_MAX, TOKEN_LENGTH_MAX
from choice_ledger.http.table import ENDPOINTS
from tests.http.planting import PLANTED, THINGS_BYTES_MAX
from tests.http.serving import Served, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service with its own endpoints, and with some on which faults are planted."""
    with serving(tmp_path_factory.mktemp("home"), endpoints=(*ENDPOINTS, *PLANTED)) as running:
        yield running


@pytest.fixture
def client(served: Served) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {served.token()}"}
    with httpx.Client(base_url=served.url, headers=headers) as client:
        yield client


def kind_of(answer: httpx.Response) -> str:
    assert answer.headers["Content-Type"] == "application/problem+json"
    return str(answer.json()["type"]).removeprefix("/problems/")


def fields_of(answer: httpx.Response) -> list[str]:
    return [fault["field"] for fault in answer.json()["errors"]]


def talk(served: Served, *parts: bytes, pause_s: float = 0.0) -> bytes:
    """Send bytes as they stand, and give all that comes back until the connection ends or is silent."""
    address = urlsplit(served.url)
    received = b""
    with socket.create_connection((address.hostname, address.port), timeout=2) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause_s)
        try:
            while piece := connection.recv(65_536):
                received += piece
        except TimeoutError:
            pass
    return received


# ------------------------------------------------------------------------------------------- request ids


def test_every_answer_bears_a_request_id_of_its_own(client: httpx.Client) -> None:
    """Without one in the request a new one is made, and a problem bears the same as the header."""
    first, second = client.get("/nowhere"), client.get("/nowhere")
    assert uuid.UUID(first.headers["X-Request-Id"]) != uuid.UUID(second.headers["X-Request-Id"])
    assert first.json()["request_id"] == first.headers["X-Request-Id"]


@pytest.mark.parametrize(
    "given", ["bfe9eb29-ab87-4ca3-be83-a1d5d8305716", "4bf92f3577b34da6a3ce929d0e0e4736"]
)
@pytest.mark.parametrize("path", ["/nowhere", "/v1/check"])
def test_an_id_that_is_one_is_taken_over(client: httpx.Client, given: str, path: str) -> None:
    """A UUID or a trace id comes back in the header and in the problem, on the hot path too."""
    answer = client.post(path, json=[], headers={"X-Request-Id": given})
    assert answer.headers["X-Request-Id"] == given
    assert answer.json()["request_id"] == given


@pytest.mark.parametrize("path", ["/nowhere", "/v1/check"])
def test_an_id_that_may_be_a_name_is_only_sent_back(client: httpx.Client, path: str) -> None:
    """Who sent it gets it back, and where others could read it there is another."""
    answer = client.post(path, json=[], headers={"X-Request-Id": "ana.meier"})
    assert answer.headers["X-Request-Id"] == "ana.meier"
    assert str(uuid.UUID(answer.json()["request_id"])) == answer.json()["request_id"]


@pytest.mark.parametrize(
    ("given", "is_told"),
    [
        ("x" * REQUEST_ID_LENGTH_MAX, True),
        ("x" * (REQUEST_ID_LENGTH_MAX + 1), False),
        ("two words", True),
        ("tab\tbed", False),
        ("", False),
    ],
)
def test_a_malformed_id_is_taken_for_none(client: httpx.Client, given: str, is_told: bool) -> None:
    """At most `REQUEST_ID_LENGTH_MAX` printable characters are sent back; else there is a new one."""
    told = client.get("/livez", headers={"X-Request-Id": given}).headers["X-Request-Id"]
    assert (told == given) is is_told


def test_two_ids_are_refused(served: Served) -> None:
    """A header that names one thing may stand once."""
    headers = [("X-Request-Id", str(uuid.UUID(int=1))), ("X-Request-Id", str(uuid.UUID(int=2)))]
    answer = httpx.get(f"{served.url}/livez", headers=headers)
    assert (answer.status_code, kind_of(answer)) == (400, "invalid_header")
    assert fields_of(answer) == ["x-request-id"]


# --------------------------------------------------------------------------------------------- addresses


@pytest.mark.parametrize("path", ["/", "/nowhere", "/v1", "/livez/", "//livez", "/v1//check", "/LIVEZ"])
def test_what_is_not_in_the_table_is_not_there(client: httpx.Client, path: str) -> None:
    """An address is exactly a row's: no slash more, no letter other."""
    answer = client.request("GET", httpx.URL(str(client.base_url).rstrip("/") + path))
    assert (answer.status_code, kind_of(answer)) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/livez", "GET, HEAD, OPTIONS"),
        ("DELETE", "/v1/policies", "GET, HEAD, OPTIONS, POST"),
        ("GET", "/v1/check", "OPTIONS, POST"),
        ("PATCH", "/v1/policies/a/versions/1", "GET, HEAD, OPTIONS"),
        ("BREW", "/livez", None),
    ],
)
def test_a_method_that_is_not_there_is_told_which_are(
    client: httpx.Client, method: str, path: str, allowed: str | None
) -> None:
    """405 names what the address takes; what is no method at all never becomes a call."""
    answer = client.request(method, path)
    if allowed is None:
        assert answer.status_code in {400, 405}
        return
    assert (answer.status_code, kind_of(answer)) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == allowed


@pytest.mark.parametrize("path", ["/livez", "/openapi.json", "/v1/policies", "/v1/lines?lines=3"])
def test_head_is_get_without_the_content(client: httpx.Client, path: str) -> None:
    """The status and the type are those of GET, and nothing follows them."""
    get, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["Content-Type"] == get.headers["Content-Type"]


def test_options_tell_the_methods(client: httpx.Client) -> None:
    """OPTIONS needs no token and has no content."""
    answer = httpx.options(client.base_url.join("/v1/policies"))
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, POST"


@pytest.mark.parametrize("thing", ["plain", "a/b", "ä ö", "100%", "a?b#c", "%2F", "a+b"])
def test_a_parameter_of_the_path_is_one_segment(client: httpx.Client, thing: str) -> None:
    """Whatever was escaped comes out as it was, a slash and a percent sign included."""
    escaped = b"/v1/things/" + quote(thing, safe="").encode()
    answer = client.get(client.base_url.copy_with(raw_path=escaped))
    assert answer.json()["path"] == {"thing": thing}


@pytest.mark.parametrize("segment", [b"%ff", b"%zz", b"a%", b"%C3%28"])
def test_a_path_that_is_no_text_is_refused(served: Served, segment: bytes) -> None:
    """Bytes that are not UTF-8 are refused; read with a substitute they could mean another individual."""
    answer = talk(served, b"GET /v1/things/" + segment + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
    assert b'"/problems/invalid_parameter"' in answer


# ----------------------------------------------------------------------------------------------- queries


def test_a_query_is_read(client: httpx.Client) -> None:
    """Plus signs and escapes are read as forms write them; an empty value is a value."""
    assert client.get("/v1/questions?a=1+2%2B3&b=").json()["query"] == {"a": "1 2+3", "b": ""}


def test_every_fault_of_a_query_is_told_at_once(client: httpx.Client) -> None:
    """Unknown, missing and repeated parameters come in one answer, and no unknown name is repeated."""
    answer = client.get("/v1/questions?b=1&b=2&canary=3&c%61nary2=4")
    assert (answer.status_code, kind_of(answer)) == (400, "invalid_parameter")
    assert fields_of(answer) == ["", "a", "b"]
    assert "2 parameters are not known here; those that are: a, b" in answer.text
    assert "canary" not in answer.text


@pytest.mark.parametrize("query", ["a=%ff", "a=%", "a=%C3%28"])
def test_a_query_that_is_no_text_is_refused(served: Served, query: str) -> None:
    """A value that is not percent-encoded UTF-8 is refused."""
    request = f"GET /v1/questions?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = talk(served, request.encode())
    assert b'"field":"a","message":"must be UTF-8, percent-encoded"' in answer


@pytest.mark.parametrize(("size", "status"), [(QUERY_BYTES_MAX, 200), (QUERY_BYTES_MAX + 1, 400)])
def test_a_query_has_a_length(client: httpx.Client, size: int, status: int) -> None:
    """A query of `QUERY_BYTES_MAX` is read, and one byte more is refused."""
    assert client.get("/v1/questions?a=" + "x" * (size - 2)).status_code == status


def test_an_endpoint_without_parameters_takes_none(client: httpx.Client) -> None:
    """Even `/livez` refuses what it does not know."""
    assert kind_of(client.get("/livez?x")) == "invalid_parameter"


# ------------------------------------------------------------------------------------------------ bodies


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
    ],
)
def test_json_is_taken(client: httpx.Client, media_type: str) -> None:
    """The media type is read in any case, and UTF-8 may be said."""
    answer = client.post("/v1/things", content=b"{}", headers={"Content-Type": media_type})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/json, text/plain"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
@pytest.mark.parametrize("path", ["/v1/things", "/v1/check"])
def test_no_other_type_is_read(client: httpx.Client, headers: dict[str, str], path: str) -> None:
    """A body of another type, of none, in another charset or compressed is refused."""
    answer = client.post(path, content=b"{}", headers=headers)
    assert (answer.status_code, kind_of(answer)) == (415, "unsupported_media_type")


@pytest.mark.parametrize(("size", "status"), [(THINGS_BYTES_MAX, 200), (THINGS_BYTES_MAX + 1, 413)])
@pytest.mark.parametrize("is_announced", [True, False])
def test_a_body_has_a_size(client: httpx.Client, size: int, status: int, is_announced: bool) -> None:
    """A body as large as the endpoint takes is read; one byte more is refused, announced or in chunks."""
    content = b'"' + b"x" * (size - 2) + b'"'
    chunks = content if is_announced else iter([content[:500], content[500:]])
    answer = client.post("/v1/things", content=chunks, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    if status == 413:
        assert answer.json()["limit"] == THINGS_BYTES_MAX


def test_a_body_that_says_it_is_too_large_is_not_waited_for(served: Served) -> None:
    """The refusal comes before a byte of the body was sent."""
    head = (
        b"POST /v1/things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    )
    for length in (THINGS_BYTES_MAX + 1, 10**13):
        assert talk(served, head % length).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("path", ["/v1/things", "/v1/check"])
def test_a_body_must_arrive_in_time(
    served: Served, client: httpx.Client, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is whole before the limit is read however many pieces it has; one that is not is refused."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
        f"Authorization: {client.headers['authorization']}\r\nConnection: close\r\n\r\n"
    ).encode()
    monkeypatch.setattr(gate, "BODY_WAIT_S", 0.5)
    slow = talk(served, head, b"{", pause_s=0.4)
    assert slow.startswith(b"HTTP/1.1 408")
    assert b"retry-after: " in slow.lower()
    in_time = talk(served, head, b"{", b"}", pause_s=0.1)
    assert not in_time.startswith(b"HTTP/1.1 408")


def test_a_call_without_a_body_takes_none(client: httpx.Client) -> None:
    """What nobody would read is refused, announced or in chunks; an announced nothing is nothing."""
    for content in (b"{}", iter([b"{}"])):
        answer = client.request("GET", "/livez", content=content)
        assert (answer.status_code, kind_of(answer)) == (400, "body_not_taken")
    assert client.request("GET", "/livez", headers={"Content-Length": "0"}).status_code == 200


def test_a_body_that_is_none_is_no_json(client: httpx.Client) -> None:
    """An empty body is not one JSON document."""
    answer = client.post("/v1/things", content=b"", headers={"Content-Type": "application/json"})
    assert kind_of(answer) == "malformed_json"


# ------------------------------------------------------------------------------------------------ tokens


@pytest.mark.parametrize(("length", "kind"), [(TOKEN_LENGTH_MAX, "token_refused"), (9_000, "token_refused")])
def test_a_long_token_is_refused_alike(served: Served, length: int, kind: str) -> None:
    """A token beyond any length is refused as any other that is not good."""
    answer = httpx.get(f"{served.url}/v1/policies", headers={"Authorization": "Bearer " + "x" * length})
    assert (answer.status_code, kind_of(answer)) == (401, kind)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


# ------------------------------------------------------------------------------------- answers and faults


@pytest.mark.parametrize("path", ["/livez", "/nowhere", "/v1/check", "/v1/faults", "/openapi.json"])
def test_every_answer_bears_the_safe_headers(client: httpx.Client, path: str) -> None:
    """No answer may be taken for another type, and none is kept by whoever passes it on."""
    answer = client.get(path)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Server" not in answer.headers


@pytest.mark.parametrize("path", ["/v1/faults", "/v1/thread-faults"])
def test_a_fault_that_nobody_foresaw_is_a_defect(client: httpx.Client, path: str) -> None:
    """It is told without its message, which may hold anything, and with the id under which it is logged."""
    answer = client.get(path)
    assert (answer.status_code, kind_of(answer)) == (500, "defect")
    assert "the values are" not in answer.text
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


def test_lines_are_streamed(client: httpx.Client) -> None:
    """Lines come from an asynchronous or from a plain iterator, in order and whole; none is an answer too."""
    assert client.get("/v1/lines?lines=3").text == '{"line": 0}\n{"line": 1}\n{"line": 2}\n'
    assert client.get("/v1/thread-lines").text == "0\n1\n2\n"
    assert client.get("/v1/lines?lines=0").text == ""


def test_a_stream_that_fails_at_once_is_a_problem(client: httpx.Client) -> None:
    """As long as nothing was sent, the fault is told as any other."""
    answer = client.get("/v1/lines?lines=0&fails=secret")
    assert (answer.status_code, kind_of(answer)) == (500, "defect")
    assert "secret" not in answer.text


def test_a_stream_that_fails_later_is_broken_off(client: httpx.Client) -> None:
    """A client that has lines already sees that they are not all: the answer has no proper end."""
    with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
        client.get("/v1/lines?lines=2&fails=x")


def test_websockets_are_no_calls(served: Served) -> None:
    """A request to change the protocol is answered as the plain request that it is."""
    head = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    assert talk(served, head).startswith(b"HTTP/1.1 200")


def test_a_host_that_is_none_is_refused(served: Served) -> None:
    """A malformed Host is a header that is wrong, and it is not repeated."""
    answer = talk(served, b"GET /livez HTTP/1.1\r\nHost: a b@c/d\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"a b@c" not in answer
