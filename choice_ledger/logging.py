"""What the processes of this application say of themselves: JSON lines on standard error.

Nothing here may hold personal data: callers pass counts, positions, event ids and reasons. Exceptions are
rendered as their kinds and places alone: a message or a local variable could hold anything.
"""

import logging
import sys
import traceback
from typing import Any, Final

import structlog

from choice_ledger.settings import LogLevel

FRAMES_MAX: Final = 20
"""Places of an exception that are told, the last ones; and exceptions of one chain."""

_LEVELS: Final[dict[LogLevel, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def configure(level: LogLevel) -> None:
    """Send what is logged at ``level`` and above to standard error, libraries' records included."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(_places),
    ]
    handler = logging.StreamHandler(sys.stderr)
    renderer = structlog.processors.JSONRenderer()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=[_first_line, *shared])
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[level])
    # kafka-python tells of every connection that it tries, hundreds a minute while a broker is away; what
    # that comes to is told by the log adapter.
    wants_more = _LEVELS[level] < logging.INFO
    logging.getLogger("kafka").setLevel(logging.ERROR if wants_more else logging.CRITICAL)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _places(exc_info: structlog.typing.ExcInfo) -> list[dict[str, Any]]:
    """An exception and what it came from: the kind of each, and the places it passed."""
    told = list[dict[str, Any]]()
    error: BaseException | None = exc_info[1]
    while error is not None and len(told) < FRAMES_MAX:
        frames = traceback.extract_tb(error.__traceback__)[-FRAMES_MAX:]
        places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        told.append({"kind": type(error).__name__, "places": places})
        error = error.__cause__ or error.__context__
    return told


def _first_line(
    _logger: structlog.typing.WrappedLogger, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """The first line of a library's record: asyncio puts the message of an exception on those after it."""
    event["event"] = str(event["event"]).partition("\n")[0]
    return event
