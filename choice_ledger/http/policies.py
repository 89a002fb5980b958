"""Policies: which there are, each version of them, and the texts that people are shown."""

from typing import Final

import msgspec

from choice_ledger.http.endpoints import JSON, Answered, Call, Endpoint, Parameter, Reply
from choice_ledger.http.event_lines import EVENT, EVENT_DEFINITION
from choice_ledger.http.history import POSITION_HEADER
from choice_ledger.http.parameters import READING, Parameters, Reading, a_name, await_fresh
from choice_ledger.http.problems import Problem
from events.catalogue import PolicyLine, TenantPolicies, Version
from events.envelope import NAME_BYTES_MAX, VERSION_MAX
from events.instants import Micros, format_instant
from events.lines import format_line
from events.streams import POLICIES as POLICIES_STREAM
from events.streams import Position
from events.union import Recorded

TEXT: Final = "text/plain"
"""The type of a wording; the server adds that it is UTF-8."""

_NAME: Final = {"type": "string", "minLength": 1, "maxLength": NAME_BYTES_MAX}
_POLICY: Final = Parameter(
    name="policy_id", place="path", schema=_NAME, description="The policy's id.", required=True
)
_VERSION: Final = Parameter(
    name="version",
    place="path",
    schema={"type": "integer", "minimum": 1, "maximum": VERSION_MAX},
    description="The version's number.",
    required=True,
)
_LOCALE: Final = Parameter(
    name="locale", place="path", schema=_NAME, description="The text's locale, such as `en`.", required=True
)


class PolicyInBrief(msgspec.Struct, frozen=True, kw_only=True):
    """A policy. ``in_force`` is its version in force at the instant asked about; null: none is yet."""

    id: str
    title: str
    versions: tuple[int, ...]
    in_force: int | None
    is_withdrawn: bool


class PolicyList(msgspec.Struct, frozen=True, kw_only=True):
    """Every policy of the tenant that is known."""

    policies: tuple[PolicyInBrief, ...]
    position: str


class VersionInBrief(msgspec.Struct, frozen=True, kw_only=True):
    """A standing version. A version with no purposes is a withdrawal."""

    version: int
    title: str
    effective_at: str
    recorded_at: str
    event_id: str
    is_in_force: bool
    is_withdrawal: bool
    wordings: tuple[str, ...]


class VoidInBrief(msgspec.Struct, frozen=True, kw_only=True):
    """An amendment that claims nothing, and why."""

    version: int
    event_id: str
    recorded_at: str
    reason: str


class VersionList(msgspec.Struct, frozen=True, kw_only=True):
    """Every version of a policy, and every amendment of it that is void."""

    policy_id: str
    versions: tuple[VersionInBrief, ...]
    void: tuple[VoidInBrief, ...]
    position: str


class _Known(msgspec.Struct, frozen=True):
    """What a call reads: a tenant's policies, the instant, and how fresh they are."""

    policies: TenantPolicies
    reading: Reading
    at: Micros
    position: Position

    def line(self, policy_id: str) -> PolicyLine:
        """A policy that is known. Raises Problem ``not_found``."""
        line = self.policies.known_at(self.reading.known_at).lines.get(policy_id)
        if line is None:
            raise Problem("not_found", "No policy of this id is known.")
        return line

    def version(self, policy_id: str, number: int | None) -> Version:
        """A version that stands and is known. Raises Problem ``not_found``."""
        version = self.line(policy_id).versions.get(-1 if number is None else number)
        if version is None:
            raise Problem("not_found", "No version of this number stands.")
        return version


async def _policies(call: Call) -> Reply:
    parameters = Parameters(call)
    known = await _known(call, parameters)
    lines = known.policies.known_at(known.reading.known_at).lines
    return Reply(
        content=PolicyList(
            policies=tuple(_policy(lines[policy_id], known.at) for policy_id in sorted(lines)),
            position=known.position.encode(),
        )
    )


async def _versions(call: Call) -> Reply:
    parameters = Parameters(call)
    known = await _known(call, parameters)
    policy_id = call.path["policy_id"]
    void = [void for void in known.policies.void if void.policy_id == policy_id]
    known_at = known.reading.known_at
    line = known.line(policy_id)
    return Reply(
        content=VersionList(
            policy_id=policy_id,
            versions=tuple(_version(line, line.versions[n], known.at) for n in sorted(line.versions)),
            void=tuple(
                VoidInBrief(
                    version=amendment.version,
                    event_id=amendment.event_id,
                    recorded_at=format_instant(amendment.recorded_at),
                    reason=amendment.reason,
                )
                for amendment in void
                if known_at is None or amendment.recorded_at <= known_at
            ),
            position=known.position.encode(),
        )
    )


async def _one_version(call: Call) -> Reply:
    parameters = Parameters(call)
    known = await _known(call, parameters)
    policy_id, number = call.path["policy_id"], _number(call.path["version"])
    version = known.version(policy_id, number)
    brief = _version(known.line(policy_id), version, known.at)
    line = format_line(Recorded(version.event, version.recorded_at))
    content = {**msgspec.to_builtins(brief), "event": msgspec.Raw(line), "position": known.position.encode()}
    return Reply(content=content)


async def _wording(call: Call) -> Reply:
    parameters = Parameters(call)
    known = await _known(call, parameters)
    version = known.version(call.path["policy_id"], _number(call.path["version"]))
    digest = version.event.wording.get(call.path["locale"])
    if digest is None:
        raise Problem("not_found", "This version has no text in this locale.")
    text = await call.service.read(lambda: call.service.ledger.content.get(digest))
    headers = {POSITION_HEADER: known.position.encode(), "Content-Language": call.path["locale"]}
    return Reply(raw=text, media_type=TEXT, headers=headers)


async def _known(call: Call, parameters: Parameters) -> _Known:
    """What is known as fresh as the call asks. The catalogue is at the state's position or later."""
    for name in ("policy_id", "locale"):
        if name in call.path:
            parameters.path(name, a_name)
    reading = parameters.reading()
    parameters.checked()
    await await_fresh(call, reading)
    position = call.service.ledger.folding.position
    policies = call.service.ledger.tenant(call.caller.tenant)
    newest = policies.newest_recorded_at
    at = reading.at
    if at is None:
        clock_at = call.service.ledger.clock()
        at = clock_at if newest is None else max(clock_at, newest)
    included = ((s, offset) for s, offset in position.as_dict().items() if s.stream == POLICIES_STREAM)
    return _Known(policies, reading, at, Position.of(position.generation, included))


def _number(text: str) -> int | None:
    """The version that a path names; none where it is no number, and so names none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else None


def _policy(line: PolicyLine, at: Micros) -> PolicyInBrief:
    version = line.at(at)
    newest = line.versions[max(line.versions)]
    return PolicyInBrief(
        id=line.policy_id,
        title=(version or newest).event.title,
        versions=tuple(sorted(line.versions)),
        in_force=None if version is None else version.version,
        is_withdrawn=version is not None and not version.terms,
    )


def _version(line: PolicyLine, version: Version, at: Micros) -> VersionInBrief:
    in_force = line.at(at)
    return VersionInBrief(
        version=version.version,
        title=version.event.title,
        effective_at=format_instant(version.effective_at),
        recorded_at=format_instant(version.recorded_at),
        event_id=version.event_id,
        is_in_force=in_force is version,
        is_withdrawal=not version.terms,
        wordings=tuple(sorted(version.event.wording)),
    )


def _one_version_schema() -> dict[str, object]:
    """A version in brief, with the event that published it."""
    brief = msgspec.json.schema(VersionInBrief)["$defs"]["VersionInBrief"]
    properties = {**brief["properties"], "event": EVENT, "position": {"type": "string"}}
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
        **EVENT_DEFINITION,
    }


_PROBLEMS: Final = ("invalid_parameter", "stale", "wrong_generation")
_OF_ONE: Final = ("invalid_parameter", "not_found", "stale", "wrong_generation")

POLICIES: Final[tuple[Endpoint, ...]] = (
    Endpoint(
        method="GET",
        path="/v1/policies",
        operation="policies",
        summary="Every policy of the tenant, and which version is in force",
        tag="Read",
        parameters=READING,
        answers=(
            Answered(
                status=200, description="The policies.", content={JSON: msgspec.json.schema(PolicyList)}
            ),
        ),
        problems=_PROBLEMS,
        handler=_policies,
    ),
    Endpoint(
        method="GET",
        path="/v1/policies/{policy_id}/versions",
        operation="policy_versions",
        summary="Every version of a policy, and what is void",
        tag="Read",
        parameters=(_POLICY, *READING),
        answers=(
            Answered(
                status=200, description="The versions.", content={JSON: msgspec.json.schema(VersionList)}
            ),
        ),
        problems=_OF_ONE,
        handler=_versions,
    ),
    Endpoint(
        method="GET",
        path="/v1/policies/{policy_id}/versions/{version}",
        operation="policy_version",
        summary="One version of a policy, with all its terms",
        tag="Read",
        parameters=(_POLICY, _VERSION, *READING),
        answers=(Answered(status=200, description="The version.", content={JSON: _one_version_schema()}),),
        problems=_OF_ONE,
        handler=_one_version,
    ),
    Endpoint(
        method="GET",
        path="/v1/policies/{policy_id}/versions/{version}/wordings/{locale}",
        operation="policy_wording",
        summary="The text of a version that people are shown, verified by its digest",
        tag="Read",
        parameters=(_POLICY, _VERSION, _LOCALE, *READING),
        answers=(Answered(status=200, description="The text.", content={"text/plain": {"type": "string"}}),),
        problems=(*_OF_ONE, "damaged"),
        handler=_wording,
    ),
)
"""The rows of this part."""
