"""What an operator asks of the service."""

import httpx

from tests.http.serving import Served


def test_a_running_service_is_alive(served: Served) -> None:
    """`/livez` answers 200 without a token: a probe has none."""
    assert httpx.get(f"{served.url}/livez").status_code == 200
