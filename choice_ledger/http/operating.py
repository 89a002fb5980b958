"""What an operator asks of the service: is it alive, is it ready, what does it count."""

from typing import Final

from choice_ledger.http.endpoints import Answered, Call, Endpoint, Reply

_TEXT: Final = {"text/plain": {"type": "string"}}


async def _alive(call: Call) -> Reply:
    del call
    return Reply(raw=b"alive\n", media_type="text/plain")


OPERATING: Final[tuple[Endpoint, ...]] = (
    Endpoint(
        method="GET",
        path="/livez",
        operation="livez",
        summary="Whether the process runs",
        tag="Operate",
        answers=(Answered(status=200, description="It runs.", content=_TEXT),),
        open=True,
        handler=_alive,
    ),
)
"""The rows of this part."""
