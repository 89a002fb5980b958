"""Parameters of reading endpoints: those that all of them have, read with every fault told at once."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

from choice_ledger.freshness import WAIT_MS_MAX
from choice_ledger.http.endpoints import Call, Parameter
from choice_ledger.http.problems import Fault, Problem
from choice_ledger.http.questions import position_of
from events.envelope import NAME_BYTES_MAX, InvalidEvent, check_individual, check_name
from events.instants import Micros, parse_instant
from events.streams import POSITION_TEXT_MAX, InvalidPosition, Position
from projections.decision import OutsideDenial

_T = TypeVar("_T")
INSTANT_SCHEMA: Final[Mapping[str, object]] = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-]00:00)$",
}
"""JSON Schema of an instant: RFC 3339 in UTC, to the microsecond."""

INDIVIDUAL_SCHEMA: Final[Mapping[str, object]] = {
    "type": "string",
    "minLength": 1,
    "maxLength": 128,
    "pattern": r"^[^/@\s\u0000-\u001f\u007f-\u00a0]+$",
}
"""JSON Schema of an individual's pseudonymous id."""

POSITION_SCHEMA: Final[Mapping[str, object]] = {
    "type": "string",
    "minLength": 1,
    "maxLength": POSITION_TEXT_MAX,
    "pattern": "^[A-Za-z0-9_-]+$",
}
"""JSON Schema of a position: opaque."""

INDIVIDUAL: Final = Parameter(
    name="individual",
    place="path",
    schema=INDIVIDUAL_SCHEMA,
    description="The individual's pseudonymous id.",
    required=True,
)
AT: Final = Parameter(
    name="at",
    place="query",
    schema=INSTANT_SCHEMA,
    description="The instant in the world that is asked about; what happened later is left out. "
    "Without it: now.",
)
KNOWN_AT: Final = Parameter(
    name="known_at",
    place="query",
    schema=INSTANT_SCHEMA,
    description="Answer on what had been recorded by then. Without it: on all that is known.",
)
AFTER: Final = Parameter(
    name="after",
    place="query",
    schema=POSITION_SCHEMA,
    description="A position from a receipt or an answer: the answer is at least as fresh.",
)
WAIT_MS: Final = Parameter(
    name="wait_ms",
    place="query",
    schema={"type": "integer", "minimum": 0, "maximum": WAIT_MS_MAX},
    description="How long to wait for `after`, in milliseconds. Without it: as the service is set up.",
)
READING: Final = (AT, KNOWN_AT, AFTER, WAIT_MS)
"""The parameters of every reading endpoint."""


def limit_up_to(most: int, default: int) -> Parameter:
    """The parameter that bounds a page."""
    return Parameter(
        name="limit",
        place="query",
        schema={"type": "integer", "minimum": 1, "maximum": most},
        description=f"How many at most. Without it: {default}.",
    )


def cursor_of(length_max: int) -> Parameter:
    """The parameter that takes a list up where the answer before left off."""
    return Parameter(
        name="cursor",
        place="query",
        schema={"type": "string", "minLength": 1, "maxLength": length_max},
        description="Where to go on: the `cursor` of the answer before, with the same parameters.",
    )


class Reading(NamedTuple):
    """What every reading endpoint is asked; ``wait_ms`` is filled in."""

    at: Micros | None
    known_at: Micros | None
    after: Position | None
    wait_ms: int


class Parameters:
    """The parameters of one call. What is wrong with them is gathered until ``checked``."""

    def __init__(self, call: Call) -> None:
        """Read the parameters of a call, in which there are none that its endpoint does not have."""
        self._call = call
        self._faults: list[Fault] = []

    def reading(self) -> Reading:
        """Those of every reading endpoint."""
        wait_ms = self.number("wait_ms", least=0, most=WAIT_MS_MAX)
        return Reading(
            at=self.query("at", parse_instant),
            known_at=self.query("known_at", parse_instant),
            after=self.query("after", _position),
            wait_ms=self._call.service.ledger.settings.freshness_ms_max if wait_ms is None else wait_ms,
        )

    def individual(self) -> str:
        """The individual of the path."""
        self.path("individual", check_individual)
        return self._call.path["individual"]

    def path(self, name: str, read: Callable[[str], object]) -> None:
        """Check a part of the path; ``read`` raises ValueError for what it may not be."""
        self._checked(name, self._call.path[name], read)

    def number(self, name: str, *, least: int, most: int) -> int | None:
        """A whole number of the query within its bounds."""

        def read(text: str) -> int:
            if not (text.isascii() and text.isdigit() and len(text) <= 10 and least <= int(text) <= most):
                raise ValueError(f"must be a whole number from {least} to {most}")
            return int(text)

        return self.query(name, read)

    def query(self, name: str, read: Callable[[str], _T]) -> _T | None:
        """A parameter of the query, if it is there; ``read`` raises ValueError for what it may not be."""
        text = self._call.query.get(name)
        return None if text is None else self._checked(name, text, read)

    def refuse(self, name: str, message: str) -> None:
        """Add a fault that concerns more than one parameter."""
        self._faults.append(Fault(name, message))

    def checked(self) -> None:
        """Raise Problem ``invalid_parameter`` with all that was found wrong."""
        if self._faults:
            raise Problem("invalid_parameter", errors=self._faults)

    def _checked(self, name: str, text: str, read: Callable[[str], _T]) -> Any:  # noqa: ANN401 - _T, or none with a fault
        try:
            return read(text)
        except InvalidEvent as fault:
            self._faults.append(Fault(name, fault.message))
        except ValueError as fault:
            self._faults.append(Fault(name, str(fault)))
        return None


def a_name(text: str) -> str:
    """A name as events have them: a policy's id, a locale. Raises InvalidEvent."""
    check_name("name", text, NAME_BYTES_MAX)
    return text


async def await_fresh(call: Call, reading: Reading) -> None:
    """Wait until the state is as fresh as the call asks. Raises Problem ``stale`` or ``wrong_generation``."""
    _raise_outside(await call.service.freshness.reached(reading.after, reading.wait_ms))


def check_still_fresh(call: Call) -> None:
    """Hold what was read against the age that the state has by now. Raises Problem ``stale``."""
    _raise_outside(call.service.freshness.outside())


def _raise_outside(reason: OutsideDenial | None) -> None:
    match reason:
        case None:
            return
        case "wrong_generation":
            raise Problem("wrong_generation")
        case _:
            raise Problem("stale")


def _position(text: str) -> Position:
    try:
        return position_of(text)
    except InvalidPosition:
        raise ValueError("must be a position, taken from a receipt or an answer") from None
