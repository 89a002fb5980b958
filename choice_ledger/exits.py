"""How a command ends: the exit codes, and the faults that lead to them. ``docs/reference/exit-codes.md``."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit code says to the script that called it."""

    OK = 0
    """Done; for ``check --exit-code``, permitted."""
    REFUSED = 1
    """Input was refused, and nothing of what was refused is recorded."""
    USAGE = 2
    """The command line or a setting is wrong; nothing was done."""
    DENIED = 3
    """``check --exit-code`` or ``disclosure record``: the use is not permitted."""
    UNKNOWN = 4
    """What became of a write is unknown; send the same event id again."""
    UNAVAILABLE = 5
    """The log cannot be reached or used as it stands."""
    MISMATCH = 6
    """A verification failed: a digest, a stored text, a topic's settings, an unreadable record."""
    DEFECT = 70
    """The program is at fault; what it prints belongs in a report."""
    INTERRUPTED = 130
    """Interrupted from the keyboard."""
    PIPE_CLOSED = 141
    """Whoever read the output went away."""


class Failure(Exception):
    """A command that ends early. ``field`` names what was wrong, where it is one field; the message says
    what to do next and holds no personal data.
    """

    def __init__(self, code: ExitCode, message: str, field: str = "") -> None:
        """End with ``code``."""
        super().__init__(f"`{field}` {message}" if field else message)
        self.code = code
        self.message = message
        self.field = field


class EventIdTaken(Failure):
    """The event id names an event already that is another than the one sent. Nothing new claims anything."""

    def __init__(self, message: str) -> None:
        """End as refused, for its ``event_id``."""
        super().__init__(ExitCode.REFUSED, message, "event_id")


class OutcomeUnknown(Failure):
    """What became of a write is unknown, in whole or in part. ``event_id`` is the id to send again with the
    same content; ``why`` is what kept it from being known.
    """

    def __init__(self, event_id: str, why: str) -> None:
        """End as unknown."""
        super().__init__(
            ExitCode.UNKNOWN, f"may be recorded or not: {why}; send it again with --event-id {event_id}"
        )
        self.event_id = event_id
        self.why = why


def refused(field: str, message: str) -> Failure:
    """The failure of input that is refused."""
    return Failure(ExitCode.REFUSED, message, field)
