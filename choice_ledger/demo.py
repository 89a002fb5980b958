"""The demo: the worked example of the semantics, on the example policy, step by step.

Source: ``semantics.md``, *Worked example*, and ``examples/README.md``. What is recorded comes from the
example's own files; what is printed comes from the ledger.
"""

import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from choice_ledger.asking import decision_lines
from choice_ledger.explaining import SENTENCES
from choice_ledger.importing import Import, LineFault, import_lines
from choice_ledger.knowledge import held_by
from choice_ledger.ledger_at_hand import LedgerAtHand
from choice_ledger.reading_lines import NumberedLine
from events.instants import INSTANT_MAX, Micros, format_instant, parse_instant
from events.lines import parse_line
from projections.decision import Decision
from projections.reader import Enquiry, ReadModel

TENANT: Final = "telemate"
INDIVIDUAL: Final = "ana"
PURPOSE: Final = "website.periodic_email"
RECIPIENT: Final = "adco"

TEXT_COLUMNS: Final = 100
"""Columns of the printed text."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question of a step: own use, or a disclosure to ``recipient``; by default on what is then known."""

    recipient: str | None
    at: Micros
    known_at: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of the story: all that was recorded up to ``until`` (included), and what is asked then."""

    title: str
    told: str
    until: Micros
    asked: tuple[Asked, ...]


def _asked(recipient: str | None, at: str, known_at: str | None = None) -> Asked:
    return Asked(recipient=recipient, at=parse_instant(at), known_at=parse_instant(known_at or at))


def _both(at: str) -> tuple[Asked, ...]:
    return (_asked(None, at), _asked(RECIPIENT, at))


STORY: Final = (
    Step(
        title="A policy is in force",
        told=(
            "Version 1 of the policy `privacy` declares 26 purposes. One of them, website.periodic_email, is "
            "opt_out, uses the e-mail address, and names no recipient. Nobody was told yet."
        ),
        until=parse_instant("2026-02-28T00:00:00Z"),
        asked=_both("2026-02-28T00:00:00Z"),
    ),
    Step(
        title="Ana registers, and is shown the policy as she gives her data",
        told="On 1 March a notice of version 1 is recorded, at collection and with a choice.",
        until=parse_instant("2026-03-02T00:00:00Z"),
        asked=_both("2026-03-02T00:00:00Z"),
    ),
    Step(
        title="Version 2 adds a third party",
        told="From 1 May on the policy in force discloses to adco. Ana has not been told.",
        until=parse_instant("2026-05-02T00:00:00Z"),
        asked=_both("2026-05-02T00:00:00Z"),
    ),
    Step(
        title="Ana is told of version 2, with a choice",
        told="The notice of 3 May gives her 30 days to choose before adco may get anything.",
        until=parse_instant("2026-05-04T00:00:00Z"),
        asked=_both("2026-05-04T00:00:00Z"),
    ),
    Step(
        title="Thirty days later she has said nothing",
        told="On 5 June nothing more is recorded, and the time to choose is over.",
        until=parse_instant("2026-06-05T00:00:00Z"),
        asked=_both("2026-06-05T00:00:00Z"),
    ),
    Step(
        title="Her letter arrives",
        told=(
            "It opts out of website.periodic_email to adco, bears the postmark of 20 May, and is recorded on "
            "9 June. What was known on 5 June stays as it was; what was allowed on 5 June does not."
        ),
        until=INSTANT_MAX,
        asked=(
            _asked(None, "2026-06-05T00:00:00Z", "2026-06-10T00:00:00Z"),
            _asked(RECIPIENT, "2026-06-05T00:00:00Z"),
            _asked(RECIPIENT, "2026-06-05T00:00:00Z", "2026-06-10T00:00:00Z"),
        ),
    ),
)
"""The worked example."""


class DemoFault(Exception):
    """The demo did not come out as the example says it must. Look at what was printed last."""


def examples() -> Path:
    """The folder of the example: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "examples"
    return inside if inside.is_dir() else package.parent / "examples"


def put_wordings(ledger: LedgerAtHand) -> int:
    """Store the texts that people are shown; how many there are."""
    texts = sorted((examples() / TENANT / "wording").glob("*.md"))
    for text in texts:
        ledger.content.put(text.read_bytes())
    return len(texts)


def play(ledger: LedgerAtHand, say: Say) -> None:
    """Record the example step by step, and say what each step changed."""
    held = None if ledger.log.deduplicates else held_by(ledger, refuse_recorded_at=False)
    task = Import(ledger.log, held, _fail)
    answers = ReadModel(ledger.store, ledger.source.slice_of, ledger.clock)
    rest = sorted(_lines(), key=lambda line: line[0])
    before: dict[str, Decision] = {}
    for number, step in enumerate(STORY, start=1):
        due = [line for recorded_at, line in rest if recorded_at <= step.until]
        rest = rest[len(due) :]
        recorded = import_lines(task, [due]).counts["recorded"]
        ledger.catch_up()
        say("")
        news = f" ({recorded} of {len(due)} events are new)" if due else ""
        say(f"{number}. {step.title}{news}")
        _say_wrapped(step.told, "   ", say)
        for asked in step.asked:
            _tell(asked, answers, before, say)


def verify(ledger: LedgerAtHand) -> int:
    """Put the example's questions, and hold the answers to the example's; how many there were."""
    questions = _numbered((examples() / "questions.ndjson").read_bytes())
    expected = (examples() / "answers.ndjson").read_bytes().splitlines()
    answers = ReadModel(ledger.store, ledger.source.slice_of, ledger.clock)
    given = [line for lines in decision_lines(answers, [questions], TENANT, _fail) for line in lines]
    if given != expected:
        raise DemoFault("the answers are not those of examples/answers.ndjson")
    return len(given)


def _lines() -> Iterator[tuple[Micros, NumberedLine]]:
    for file in ("telemate/policies.ndjson", "people.ndjson"):
        for line in _numbered((examples() / file).read_bytes()):
            recorded_at = parse_line(line.content).recorded_at
            assert recorded_at is not None
            yield recorded_at, line


def _numbered(content: bytes) -> list[NumberedLine]:
    return [NumberedLine(number, line) for number, line in enumerate(content.splitlines(), start=1)]


def _tell(asked: Asked, answers: ReadModel, before: dict[str, Decision], say: Say) -> None:
    enquiry = Enquiry(
        tenant=TENANT,
        individual=INDIVIDUAL,
        purpose=PURPOSE,
        recipient=asked.recipient,
        at=asked.at,
        known_at=asked.known_at,
    )
    decision = answers.answer(enquiry).decision
    use = "own use" if asked.recipient is None else f"to {asked.recipient}"
    former = before.get(use)
    before[use] = decision
    say(f"   {use:<8}{_words(decision)}{_change(former, decision)}")
    because = (
        f"On {_day(asked.at)}, on what was known on {_day(asked.known_at)}: {SENTENCES[decision.reason][0]}"
    )
    again = "" if decision.until is None else f" Ask again at {format_instant(decision.until)}."
    _say_wrapped(because + again, "           ", say)


def _words(decision: Decision) -> str:
    return f"{'PERMITTED' if decision.permitted else 'DENIED   '} {decision.reason}"


def _change(former: Decision | None, decision: Decision) -> str:
    if former is None:
        return ""
    if (former.permitted, former.reason) == (decision.permitted, decision.reason):
        return "  (as before)"
    return f"  (before: {'permitted' if former.permitted else 'denied'}, {former.reason})"


def _say_wrapped(text: str, indent: str, say: Say) -> None:
    for line in textwrap.wrap(text, TEXT_COLUMNS, initial_indent=indent, subsequent_indent=indent):
        say(line)


def _day(instant: Micros) -> str:
    return format_instant(instant)[:10]


def _fail(fault: LineFault) -> None:
    raise DemoFault(f"line {fault.number} of the example: `{fault.field}` {fault.message}")
