"""Who is asking: tokens as running services take and refuse them, over real HTTP."""

import base64
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from choice_ledger.access import TOKENS_AGE_MS_MAX
from choice_ledger.http.table import ENDPOINTS
from choice_ledger.token_text import token_text
from choice_ledger.wiring import new_id, now, token_file
from events.instants import DAY, SECOND
from tests.cli.running import run_process
from tests.http.serving import Served, serving

# Any token may read the policies: what these tests ask is who it is.
ASKED = "/v1/policies"


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Served]:
    """A service of a test's own, whose files it may damage."""
    with serving(tmp_path / "home") as running:
        yield running


def token_made(served: Served, **fields: int) -> tuple[str, str]:
    """A new token's id and text."""
    token_id, at = new_id(), now()
    life = {"now": at, "expires_at": at + DAY, **fields}
    text = token_file(served.settings).create(
        token_id=token_id, name="portal", tenant="main", scopes=("check",), **life
    )
    return token_id, text


def bearing(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def kind_of(answer: httpx.Response) -> str:
    """The kind of a problem."""
    return str(answer.json()["type"]).removeprefix("/problems/")


def test_a_good_token_is_let_in(served: Served) -> None:
    """The scheme is read in any case, as RFC 9110 has it, and the token as it stands."""
    _, text = token_made(served)
    for scheme in ("Bearer", "bearer", "BEARER"):
        answer = httpx.get(served.url + ASKED, headers={"Authorization": f"{scheme} {text}"})
        assert answer.status_code == 200


def test_a_token_made_by_another_process_is_good_at_once(served: Served) -> None:
    """Whoever makes a token on the command line can use it with the next call."""
    done = run_process(Path(served.settings.home), "token", "create", "cli", "--scope", "check")
    assert httpx.get(served.url + ASKED, headers=bearing(done.out.strip())).status_code == 200


def test_a_revoked_token_is_refused_within_a_second_on_an_open_connection(served: Served) -> None:
    """Another process revokes the token: calls on a connection that is open are refused within the bound."""
    token_id, text = token_made(served)
    with httpx.Client(base_url=served.url, headers=bearing(text)) as client:
        assert client.get(ASKED).status_code == 200
        done = run_process(Path(served.settings.home), "token", "revoke", token_id)
        revoked = time.monotonic()
        assert done.code == 0, done.err
        while client.get(ASKED).status_code == 200:
            assert (time.monotonic() - revoked) * 1_000 <= TOKENS_AGE_MS_MAX
        refused = client.get(ASKED)
    assert (time.monotonic() - revoked) * 1_000 <= TOKENS_AGE_MS_MAX
    assert (refused.status_code, kind_of(refused)) == (401, "token_refused")


def test_a_token_that_ends_is_refused_from_then_on(served: Served) -> None:
    """A token that was good a moment ago, and is known to the service, ends when it ends."""
    _, text = token_made(served, expires_at=now() + SECOND // 2)
    with httpx.Client(base_url=served.url, headers=bearing(text)) as client:
        assert client.get(ASKED).status_code == 200
        deadline = time.monotonic() + 5
        while client.get(ASKED).status_code == 200:
            assert time.monotonic() < deadline
        assert kind_of(client.get(ASKED)) == "token_refused"


def test_a_rotated_token_goes_on_until_its_overlap_ends(served: Served) -> None:
    """Both tokens are good at first; once rotated without an overlap the old one is refused."""
    token_id, old = token_made(served)
    file = token_file(served.settings)
    new = file.rotate(token_id, new_id=new_id(), now=now(), overlap=DAY, expires_at=None)
    newest = file.rotate(file.tokens()[-1].id, new_id=new_id(), now=now(), overlap=0, expires_at=None)
    time.sleep(TOKENS_AGE_MS_MAX / 1_000)
    statuses = [
        httpx.get(served.url + ASKED, headers=bearing(text)).status_code for text in (old, new, newest)
    ]
    assert statuses == [200, 401, 200]


def test_all_that_is_wrong_with_a_token_is_told_in_the_same_words(served: Served) -> None:
    """Cut, unknown, expired and revoked tokens cannot be told from one another by the answer."""
    revoked_id, revoked = token_made(served)
    token_file(served.settings).revoke(revoked_id, now())
    _, expired = token_made(served, now=now() - 2 * DAY, expires_at=now() - DAY)
    _, good = token_made(served)
    wrong = [revoked, expired, good[:-1], token_text("0" * 43), good.swapcase(), "x" * 4_000, "x"]
    bodies = set()
    for number, text in enumerate(wrong):
        headers = {**bearing(text), "X-Request-Id": "00000000-0000-7000-8000-000000000000"}
        answer = httpx.get(served.url + ASKED, headers={**headers, "X-Forwarded-For": f"192.0.2.{number}"})
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        bodies.add(answer.text)
    assert len(bodies) == 1
    assert "token_refused" in bodies.pop()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic {basic}"},
        {"Authorization": "{token}"},
        {"X-Api-Key": "{token}"},
        {"Cookie": "token={token}"},
    ],
    ids=str,
)
def test_a_call_without_a_bearer_token_is_told_so(served: Served, headers: dict[str, str]) -> None:
    """A token is taken from one place alone, where no browser sends it by itself."""
    _, text = token_made(served)
    basic = base64.b64encode(f"portal:{text}".encode()).decode()
    filled = {name: value.format(token=text, basic=basic) for name, value in headers.items()}
    answer = httpx.get(served.url + ASKED, headers=filled)
    assert (answer.status_code, kind_of(answer)) == (401, "token_missing")


def test_a_token_in_the_address_is_none(served: Served) -> None:
    """Addresses stand in logs of every proxy: a token there is not taken."""
    _, text = token_made(served)
    for name in ("token", "access_token", "authorization"):
        assert httpx.get(f"{served.url}{ASKED}?{name}={text}").status_code == 401


def test_two_tokens_are_none(served: Served) -> None:
    """Of two tokens no two readers need take the same one: the call is refused."""
    texts = [token_made(served)[1] for _ in range(2)]
    headers = [("Authorization", f"Bearer {text}") for text in texts]
    assert httpx.get(served.url + ASKED, headers=headers).status_code in {400, 401}


def test_a_damaged_file_refuses_every_token_and_says_why(apart: Served) -> None:
    """Within a second nobody is let in, a line of log says why without a digest; open endpoints go on."""
    _, text = token_made(apart)
    path = Path(apart.settings.home) / "tokens.json"
    with httpx.Client(base_url=apart.url, headers=bearing(text)) as client, capture_logs() as logs:
        assert client.get(ASKED).status_code == 200
        content = path.read_bytes()
        path.write_bytes(content[:-10])
        time.sleep(TOKENS_AGE_MS_MAX / 1_000)
        assert [kind_of(client.get(ASKED)) for _ in range(3)] == ["token_refused"] * 3
        assert client.get("/livez").status_code == 200
        path.write_bytes(content)
        time.sleep(TOKENS_AGE_MS_MAX / 1_000)
        assert client.get(ASKED).status_code == 200
    told = [entry for entry in logs if "tokens.json" in str(entry)]
    assert [entry["log_level"] for entry in told] == ["error"]
    assert "sha256" not in str(logs)


def test_a_service_is_not_ready_while_tokens_cannot_be_looked_up(apart: Served) -> None:
    """Whoever sends calls to it is told to send them elsewhere, and ready again once the file is mended."""
    _, text = token_made(apart)
    path = Path(apart.settings.home) / "tokens.json"
    assert httpx.get(f"{apart.url}/readyz").status_code == 200
    path.write_bytes(b"?")
    time.sleep(TOKENS_AGE_MS_MAX / 1_000)
    assert httpx.get(f"{apart.url}/readyz").status_code == 503
    path.unlink()
    time.sleep(TOKENS_AGE_MS_MAX / 1_000)
    assert httpx.get(f"{apart.url}/readyz").status_code == 200
    assert text not in httpx.get(f"{apart.url}/readyz").text


def test_no_token_is_ever_logged_or_answered(apart: Served, caplog: pytest.LogCaptureFixture) -> None:
    """Good and bad tokens, wherever a caller may put them, stand in no log line of ours and in no answer."""
    caplog.set_level(logging.DEBUG)
    _, good = token_made(apart)
    bad, answers = token_text("Z" * 43), []
    with capture_logs() as logs, httpx.Client(base_url=apart.url) as client:
        for text in (good, bad):
            for endpoint in ENDPOINTS:
                address = endpoint.path.replace("{", "").replace("}", "")
                answers.append(client.request(endpoint.method, address, headers=bearing(text)))
            answers.append(client.get(ASKED, headers={"Authorization": text}))
            answers.append(client.get(ASKED, headers={"X-Request-Id": text, **bearing(text)}))
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("http")]
    told = "".join([answer.text for answer in answers] + ours) + str(logs)
    assert len(answers) > 2 * len(ENDPOINTS)
    for text in (good, bad):
        assert text[8:40] not in told
