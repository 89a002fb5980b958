"""AuthZEN's metadata (section 9): where the endpoints are, told to anybody."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from choice_ledger.http.authzen import AUTHZEN
from choice_ledger.http.authzen_metadata import (
    HOST_LENGTH_MAX,
    METADATA_AGE_S_MAX,
    PATHS,
    address_of,
    metadata_of,
)
from choice_ledger.http.problems import Problem
from choice_ledger.settings import InvalidSetting, load
from tests.http.authzen_world import METADATA, PERMITTED, ask
from tests.http.serving import Served, serving

PUBLIC_URL = "https://consent.example.org"


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service that knows its public address."""
    with serving(tmp_path_factory.mktemp("home"), public_url=PUBLIC_URL) as running:
        yield running


def test_the_metadata_is_at_the_well_known_place(public: Served) -> None:
    """§9.2, MUST: a JSON document with the metadata is at "`/.well-known/authzen-configuration`", for GET."""
    response = httpx.get(f"{public.url}{METADATA}")
    assert response.status_code == 200
    assert set(response.json()) == {"policy_decision_point", *PATHS}


def test_the_metadata_is_open(public: Served) -> None:
    """§9, RECOMMENDED: "that PDPs provide metadata": to anybody, because it says where to begin."""
    with public.client("audit") as client:
        assert client.get(METADATA).json() == httpx.get(f"{public.url}{METADATA}").json()


def test_the_metadata_is_asked_for_by_get(public: Served) -> None:
    """§9.2.1, MUST: the document "MUST be queried using an HTTP GET request", and by nothing else."""
    assert httpx.post(f"{public.url}{METADATA}", json={}).status_code == 405


def test_the_metadata_is_json(public: Served) -> None:
    """§9.2.2, MUST: "the HTTP status code `200` and a `Content-Type` of `application/json`"."""
    response = httpx.get(f"{public.url}{METADATA}")
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert isinstance(response.json(), dict)


def test_the_identifier_is_an_https_address(public: Served) -> None:
    """§9.1.1, REQUIRED: it "uses the "https" scheme and has no query or fragment components"."""
    parts = urlsplit(httpx.get(f"{public.url}{METADATA}").json()["policy_decision_point"])
    assert (parts.scheme, parts.netloc) == ("https", "consent.example.org")
    assert (parts.path, parts.query, parts.fragment) == ("", "", "")


def test_every_endpoint_is_told(public: Served) -> None:
    """§9.1.1, REQUIRED: `access_evaluation_endpoint`, and all others, since absent means "not capable"."""
    told = httpx.get(f"{public.url}{METADATA}").json()
    assert {told[parameter] for parameter in PATHS} == {PUBLIC_URL + path for path in PATHS.values()}
    assert set(PATHS.values()) == {row.path for row in AUTHZEN if row.method == "POST"}


def test_the_paths_are_the_default_ones(public: Served) -> None:
    """§10.1, SHOULD: without metadata the address is "the default path" behind the base: ours are those."""
    assert PATHS == {
        "access_evaluation_endpoint": "/access/v1/evaluation",
        "access_evaluations_endpoint": "/access/v1/evaluations",
        "search_subject_endpoint": "/access/v1/search/subject",
        "search_resource_endpoint": "/access/v1/search/resource",
        "search_action_endpoint": "/access/v1/search/action",
    }
    told = httpx.get(f"{public.url}{METADATA}").json()
    path = urlsplit(told["access_evaluation_endpoint"]).path
    with public.client("check") as client:
        assert ask(client, path, PERMITTED)["decision"] is False


def test_what_has_no_value_is_left_out(public: Served) -> None:
    """§9.2.2, MUST: "Parameters that have no values MUST be omitted": capabilities and signed metadata."""
    told = httpx.get(f"{public.url}{METADATA}").json()
    assert not {"capabilities", "supported_capabilities", "signed_metadata"} & set(told)
    assert None not in told.values()


def test_the_identifier_is_the_one_that_was_asked(tmp_path: Path) -> None:
    """§9.2.3, MUST: "identical to the Policy Decision Point identifier" from which the URI was made."""
    with serving(tmp_path) as served:
        for host in ("pdp.example.com", "pdp.example.com:8443", "[2001:db8::1]:443"):
            response = httpx.get(f"{served.url}{METADATA}", headers={"host": host})
            assert response.json()["policy_decision_point"] == f"https://{host}"


def test_one_document_for_all_tenants(public: Served) -> None:
    """§9.2, states: a PDP with tenants may have a document each: ours has one, the tenant is the token's."""
    plain = httpx.get(f"{public.url}{METADATA}").json()
    for tenant in ("main", "other"):
        with public.client("check", tenant=tenant) as client:
            assert client.get(METADATA).json() == plain
            assert client.get(f"{METADATA}/{tenant}").status_code == 404


def test_who_may_keep_the_metadata(public: Served, tmp_path: Path) -> None:
    """§11.9, SHOULD: "Cache-Control with max-age": one that rests on a call's `Host` is not kept."""
    told = httpx.get(f"{public.url}{METADATA}").headers.get_list("cache-control")
    assert told == [f"public, max-age={METADATA_AGE_S_MAX}"]
    with serving(tmp_path) as served:
        assert httpx.get(f"{served.url}{METADATA}").headers.get_list("cache-control") == ["no-store"]


def test_the_host_of_the_call_changes_nothing_where_the_address_is_set(public: Served) -> None:
    """§11.1, MUST: the connection is secured, so whoever forges a `Host` leads nobody to another address."""
    for host in ("evil.example", "evil.example:1", ""):
        response = httpx.get(f"{public.url}{METADATA}", headers={"host": host})
        assert response.json()["policy_decision_point"] == PUBLIC_URL


@pytest.mark.parametrize(
    "host",
    [
        "pdp.example.com/path",
        "pdp.example.com?x",
        "pdp.example.com#x",
        "user@pdp.example.com",
        'pdp.example.com"',
        "pdp.example.com:port",
        "pdp example com",
        "-.example",
        "",
        "x" * (HOST_LENGTH_MAX + 1),
    ],
)
def test_a_host_that_is_none_is_refused(host: str) -> None:
    """A `Host` that could lead whoever reads the document elsewhere is refused, and not repeated."""
    with pytest.raises(Problem) as caught:
        address_of(host)
    assert caught.value.kind == "invalid_header"
    assert not host or host not in str(caught.value.members("r"))


@pytest.mark.parametrize("host", ["a", "A.example", "127.0.0.1:8700", "[::1]:8700", "x" * HOST_LENGTH_MAX])
def test_a_host_that_is_one(host: str) -> None:
    """A name, an IPv4 or an IPv6 address, with a port or without, makes an https address."""
    assert address_of(host) == f"https://{host.lower()}"
    assert metadata_of(address_of(host)).policy_decision_point == f"https://{host.lower()}"


@pytest.mark.parametrize(
    "public_url",
    ["", "https://consent.example.org", "https://a:8443", "https://[2001:db8::1]", "https://127.0.0.1"],
)
def test_a_public_address(public_url: str) -> None:
    """The setting takes an https address of a host, and a port or none; or nothing."""
    assert load({}, {"CHOICE_LEDGER_PUBLIC_URL": public_url}).settings.public_url == public_url


@pytest.mark.parametrize(
    "public_url",
    [
        "http://consent.example.org",
        "https://",
        "https://a/",
        "https://a/path",
        "https://a?x",
        "https://a#x",
        "https://a@b",
        "https://a b",
        "https://a\n",
        "consent.example.org",
    ],
)
def test_what_is_no_public_address(public_url: str) -> None:
    """An address with another scheme, a path, a query, a fragment or a user is no setting."""
    with pytest.raises(InvalidSetting):
        load({}, {"CHOICE_LEDGER_PUBLIC_URL": public_url})
