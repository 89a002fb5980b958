"""What one connection may send, how slowly, and how many there may be: at each limit and past it."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import httpx
import pytest

from choice_ledger.http import protocol
from choice_ledger.http.admission import TENANT_WAITING_MAX, WAITING_MAX
from choice_ledger.http.protocol import BESIDE_BODY_BYTES_MAX, CONNECTIONS_MAX, HEAD_BYTES_MAX, HEADERS_MAX
from choice_ledger.http.table import ENDPOINTS
from tests.http.planting import PLANTED
from tests.http.serving import Served, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service with planted endpoints beside its own."""
    with serving(tmp_path_factory.mktemp("home"), endpoints=(*ENDPOINTS, *PLANTED)) as running:
        yield running


def connected(served: Served, timeout_s: float = 5.0) -> socket.socket:
    address = urlsplit(served.url)
    return socket.create_connection((address.hostname, address.port), timeout_s)


def answer_to(served: Served, *parts: bytes, pause_s: float = 0.0) -> bytes:
    """What comes back for some bytes, until the service closes the connection."""
    received = b""
    with connected(served) as connection:
        try:
            for part in parts:
                connection.sendall(part)
                time.sleep(pause_s)
            while piece := connection.recv(65_536):
                received += piece
        except ConnectionError:
            pass  # Closed while more was being sent.
    return received


def head_of(size: int, headers: int = 3) -> bytes:
    """A request whose head counts as so many bytes, in so many headers."""
    lines = [b"host: x", b"connection: close", *(b"h%d: 1" % number for number in range(headers - 3))]
    counted = len(b"/livez") + sum(len(line) + 2 for line in lines) + len(b"p") + 4
    lines.append(b"p: " + b"x" * (size - counted))
    return b"GET /livez HTTP/1.1\r\n" + b"\r\n".join(lines) + b"\r\n\r\n"


@pytest.mark.parametrize(("over", "status"), [(-20, b"200"), (1, b"431")])
@pytest.mark.parametrize("pieces", [1, 8])
def test_a_head_has_a_size(served: Served, over: int, status: bytes, pieces: int) -> None:
    """Up to `HEAD_BYTES_MAX` a head is read, at once or in pieces; beyond it, it is refused unread."""
    head = head_of(HEAD_BYTES_MAX + over)
    step = len(head) // pieces + 1
    answer = answer_to(served, *(head[at : at + step] for at in range(0, len(head), step)), pause_s=0.01)
    assert answer.startswith(b"HTTP/1.1 " + status)
    if status == b"431":
        assert b'"/problems/head_too_large"' in answer
        assert b"connection: close" in answer


def test_a_head_without_an_end_is_refused(served: Served) -> None:
    """Bytes that only ever go on being a head are refused once there are too many of them."""
    endless = b"GET /livez HTTP/1.1\r\nhost: x\r\np: " + b"x" * (HEAD_BYTES_MAX * 2)
    assert answer_to(served, endless).startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize(("number", "status"), [(HEADERS_MAX, b"200"), (HEADERS_MAX + 1, b"431")])
def test_a_head_has_so_many_headers(served: Served, number: int, status: bytes) -> None:
    """`HEADERS_MAX` headers are read, and one more is refused."""
    assert answer_to(served, head_of(2_000, number)).startswith(b"HTTP/1.1 " + status)


def test_a_large_body_does_not_count_as_a_head(served: Served) -> None:
    """A body that comes in the same piece as a short head is no fault of the head."""
    body = b'{"individual":"' + b"x" * HEAD_BYTES_MAX + b'"}'
    head = b"POST /v1/things HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(
        body
    )
    assert answer_to(served, head + body).startswith(b"HTTP/1.1 4")
    assert b"431" not in answer_to(served, head + body)[:20]


def test_many_calls_on_one_connection_are_no_large_head(served: Served) -> None:
    """The sizes of heads are not added up over a connection."""
    with httpx.Client(base_url=served.url) as client:
        statuses = {client.get("/livez", headers={"p": "x" * 8_000}).status_code for _ in range(20)}
    assert statuses == {200}


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\x02\x00", b"HELO x\r\n\r\n", b"GET /livez HTTP/1.1\r\na b: 1\r\n\r\n"]
)
def test_what_is_no_http_is_refused(served: Served, sent: bytes) -> None:
    """It is answered with a problem and the connection is closed."""
    answer = answer_to(served, sent)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b'"/problems/malformed_http"' in answer


def test_connections_are_counted(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as may be are served at once; one more is told to come again, and when one goes, is taken."""
    assert CONNECTIONS_MAX > 1_000
    monkeypatch.setattr(protocol, "CONNECTIONS_MAX", 5)
    call = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
    with ExitStack() as stack:
        time.sleep(0.3)  # Those of tests before this one end first.
        held = [stack.enter_context(connected(served)) for _ in range(5)]
        for connection in held:
            connection.sendall(call)
            assert connection.recv(4_096).startswith(b"HTTP/1.1 200")
        refused = answer_to(served, b"")
        assert refused.startswith(b"HTTP/1.1 503")
        assert b'"/problems/overloaded"' in refused
        assert b"retry-after: " in refused
        held[0].close()
        time.sleep(0.3)
        with connected(served) as connection:
            connection.sendall(call)
            assert connection.recv(4_096).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "sent", [b"", b"GET /livez HT", b"POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nx"]
)
def test_a_client_that_keeps_the_service_waiting_is_left(
    served: Served, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    """Without a head, with half of one, or with a body that nobody reads any more: the connection ends."""
    monkeypatch.setattr(protocol, "HEAD_WAIT_S", 0.3)
    began = time.monotonic()
    answer_to(served, sent)
    assert 0.3 <= time.monotonic() - began < 4


def test_a_client_that_does_not_read_is_left(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that nobody takes does not stay in memory: the connection is broken off."""
    monkeypatch.setattr(protocol, "READ_WAIT_S", 0.3)
    received = 0
    with connected(served) as connection:
        connection.sendall(b"GET /v1/flood HTTP/1.1\r\nhost: x\r\n\r\n")
        time.sleep(2.5)
        with suppress(ConnectionError):
            while piece := connection.recv(1 << 20):
                received += len(piece)
    assert received < 10_000 * 65_536 / 4


def test_the_bounds_of_waiting_leave_room_for_another_tenant() -> None:
    """One tenant's share is less than the whole: another's work finds a place beside it."""
    assert 0 < TENANT_WAITING_MAX < WAITING_MAX


CHUNKED = (
    b"POST /v1/things HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n2\r\n{}\r\n0\r\n"
)


def test_a_trailer_is_no_header(served: Served) -> None:
    """What stands after the body is passed over: it is neither believed nor counted among the headers."""
    trailers = b"content-type: text/plain\r\nx-request-id: %b\r\n" % (b"a" * 32)
    answer = answer_to(served, CHUNKED + trailers + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"a" * 32 not in answer


@pytest.mark.parametrize("trailers", [b"x: y\r\n" * 10_000, b"x: " + b"y" * 60_000], ids=["many", "long"])
def test_trailers_have_an_end(served: Served, trailers: bytes) -> None:
    """Whoever sends nothing but trailers after a body is left, long before they fill any memory."""
    sent = 0
    with connected(served) as connection, suppress(ConnectionError):
        connection.sendall(CHUNKED)
        while sent < 100 * BESIDE_BODY_BYTES_MAX:
            connection.sendall(trailers)
            sent += len(trailers)
    # The machine's own buffers take some of it, on both sides.
    assert BESIDE_BODY_BYTES_MAX <= sent < 50 * BESIDE_BODY_BYTES_MAX


def test_so_much_beside_a_body_is_read(served: Served) -> None:
    """Trailers within the limit are read to their end, and the call is answered."""
    line = b"x: " + b"y" * 1_019 + b"\r\n"
    answer = answer_to(served, CHUNKED + line * (BESIDE_BODY_BYTES_MAX // len(line) - 2) + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
