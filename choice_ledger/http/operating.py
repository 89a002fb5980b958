"""What an operator asks of the service: is it alive, is it ready, what does it count."""

from typing import Final

from choice_ledger.access import Scope
from choice_ledger.http.endpoints import JSON, Answered, Call, Endpoint, Parameter, Reply
from choice_ledger.http.gate import admitted
from choice_ledger.http.metrics import Gauges
from choice_ledger.http.problems import Fault, Problem
from choice_ledger.http.readiness import Checked, checked
from projections.decision import PERMITTING

METRICS_MEDIA_TYPE: Final = "text/plain; version=0.0.4"
"""Prometheus' text format."""

_TEXT: Final = {"text/plain": {"type": "string"}}
_ADMIN: Final[frozenset[Scope]] = frozenset({"admin"})
_READINESS: Final[dict[str, dict[str, object]]] = {
    "text/plain": {"type": "string"},
    JSON: {
        "type": "object",
        "properties": {
            "ready": {"const": True},
            "checks": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "check": {"type": "string"},
                        "ok": {"type": "boolean"},
                        "message": {"type": "string"},
                    },
                    "required": ["check", "ok", "message"],
                    "additionalProperties": False,
                },
            },
        },
        "required": ["ready", "checks"],
        "additionalProperties": False,
    },
}


async def _alive(call: Call) -> Reply:
    del call
    return Reply(raw=b"alive\n", media_type="text/plain")


async def _ready(call: Call) -> Reply:
    verbose = call.query.get("verbose")
    if verbose not in {None, "", "true", "1"}:
        raise Problem("invalid_parameter", errors=[Fault("verbose", "must be empty, or true")])
    if verbose is not None:
        authorization = call.headers.get("authorization")
        headers = {} if authorization is None else {b"authorization": authorization.encode("latin-1")}
        admitted(call.service, headers, _ADMIN)
    found = await checked(call.service)
    is_ready = _all(found)
    if not is_ready:
        shown = found if verbose is not None else [{"check": one.check, "ok": one.ok} for one in found]
        raise Problem("not_ready", checks=shown)
    if verbose is None:
        return Reply(raw=b"ready\n", media_type="text/plain")
    return Reply(content={"ready": True, "checks": found})


async def _metrics(call: Call) -> Reply:
    service = call.service
    state = service.freshness.state()
    gauges = Gauges(
        ready=_all(await checked(service)),
        state_age_s=state.age_ms / 1_000,
        behind_records=state.lag_records,
        individuals_at_hand=service.checks.individuals_at_hand,
        waiting={
            "writing": service.admission.waiting(service.writers),
            "reading": service.admission.waiting(service.readers),
        },
        quarantined=await service.read(lambda: len(service.ledger.store.open_quarantine())),
    )
    text = await service.read(lambda: service.metrics.text(gauges, PERMITTING.__contains__))
    return Reply(raw=text, media_type=METRICS_MEDIA_TYPE)


def _all(found: list[Checked]) -> bool:
    return all(one.ok for one in found)


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
    Endpoint(
        method="GET",
        path="/readyz",
        operation="readyz",
        summary="Whether the service can do its work",
        description="Send calls here while it is. With `verbose` each check is told, to a token of the scope "
        "`admin`: whether the service goes on; whether its state is kept up with the log and fresh; "
        "whether tokens and services can be read, the log can be reached, and the disk can be written to.",
        tag="Operate",
        parameters=(
            Parameter(
                name="verbose",
                place="query",
                schema={"type": "string", "enum": ["", "true", "1"]},
                description="Tell each check, as JSON.",
            ),
        ),
        answers=(Answered(status=200, description="It can.", content=_READINESS),),
        problems=("not_ready", "token_missing", "token_refused", "scope_missing", "rate_limited"),
        open=True,
        handler=_ready,
    ),
    Endpoint(
        method="GET",
        path="/metrics",
        operation="metrics",
        summary="What the service counts, for Prometheus",
        tag="Operate",
        answers=(Answered(status=200, description="Prometheus' text format.", content=_TEXT),),
        scopes=_ADMIN,
        handler=_metrics,
    ),
)
"""The rows of this part."""
