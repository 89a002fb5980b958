"""Questions on the command line: one, a file of them, and their explanation."""

import json
import subprocess
from pathlib import Path

import pytest

from events.instants import SECOND, format_instant
from projections.question_lines import QUESTION_BYTES_MAX
from tests.cli.running import EXAMPLES, TENANT, Cli, command_line, process_environment

ADCO = ("ana", "website.periodic_email", "--recipient", "adco", "--at", "2026-06-05T00:00:00Z")
THEN = ("--known-at", "2026-06-05T00:00:00Z")
KEYS = ["permitted", "reason", "policy", "evidence", "until"]
UNKNOWN_GENERATION = "0197f3a0-0000-7000-8000-000000000001"


def question(**fields: object) -> bytes:
    """A line of a questions file about Ana's e-mail; fields that are None are null."""
    line = {"tenant": TENANT, "individual": "ana", "purpose": "website.periodic_email", **fields}
    return json.dumps(line).encode()


def test_both_clocks_of_the_worked_example(example: Cli) -> None:
    """On what was known on 5 June adco was permitted; on what is known now it was not."""
    assert example.does("check", *ADCO, *THEN, "--json").json["reason"] == "not_opted_out"
    answer = example.does("check", *ADCO, "--json").json
    assert list(answer) == KEYS
    assert (answer["permitted"], answer["reason"]) == (False, "opted_out")
    assert answer["policy"] == {"id": "privacy", "version": 2}
    assert len(answer["evidence"]) == 3


def test_an_answer_for_people(example: Cli) -> None:
    """Without `--json` the answer says in words what is so, which policy, which events and until when."""
    out = example.does("check", *ADCO).out
    assert out.startswith("denied: opted_out\n  policy    privacy, version 2\n  evidence  ")
    assert out.endswith("until     -\n")


def test_what_stands_beside_the_answer_is_told(example: Cli) -> None:
    """An objection to a necessary use, and what a law overrides, are told beside the answer."""
    assert "objection" in example.does("check", "dora", "hr.payroll").out
    example.does("restriction", "record", "ivan", "r1")
    compelled = ("ivan", "hr.payroll", "--recipient", "department_of_labor", "--data", "name")
    # The restriction is younger than the subpoena's interval, so this one has none of that interval's end.
    example.does("disclosure", "compel", "ivan", "department_of_labor", "--legal-reference", "order")
    out = example.does("check", *compelled).out
    assert out.startswith("permitted: required_by_law")
    assert "overrides restricted" in out


@pytest.mark.parametrize(("arguments", "code"), [(ADCO, 3), ((*ADCO, *THEN), 0)])
def test_a_denial_as_an_exit_code(arguments: tuple[str, ...], code: int, example: Cli) -> None:
    """With `--exit-code` a denial ends with 3 and a permission with 0; without it both end with 0."""
    assert example("check", *arguments, "--exit-code").code == code
    assert example("check", *arguments).code == 0


def test_an_unknown_individual_is_denied(example: Cli) -> None:
    """Somebody of whom nothing is recorded was not told, and so is denied."""
    assert example.does("check", "nobody", "rights.access", "--json").json["reason"] == "not_told"


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("a b", "website"), "individual"),
        (("ana", "web site"), "purpose"),
        (("ana", "website", "--recipient", ""), "recipient"),
        (("ana", "website", "--data", ""), "data"),
        (("ana", "website", "--after", "nonsense"), "after"),
    ],
)
def test_a_bad_question_is_refused(arguments: tuple[str, ...], field: str, example: Cli) -> None:
    """A question that cannot be asked names its field, and is not answered."""
    for command in ("check", "why"):
        done = example(command, *arguments)
        assert (done.code, done.out) == (1, "")
        assert f"`{field}`" in done.err


def test_an_answer_after_a_receipt(published: Cli) -> None:
    """Passed its receipt's position back, an answer knows of the event; one of another ledger is denied."""
    receipt = published.does("choice", "record", "ana", "--opt-out", "website", "--json").json
    asked = ("check", "ana", "website.surveys", "--json")
    assert published.does(*asked, "--after", receipt["position"]).json["reason"] == "population_not_covered"
    foreign = Cli(published.home.with_name("foreign"))
    position = foreign.does("framework", "set", "shield", "--in-force", "--json").json["position"]
    assert published.does(*asked, "--after", position).json["reason"] == "wrong_generation"


def test_an_answer_that_cannot_be_so_fresh_is_stale(published: Cli) -> None:
    """A position that the log has not reached within the deadline is a denial, stale."""
    position = published.does("choice", "record", "ana", "--opt-out", "website", "--json").json["position"]
    later = Cli(published.home, {"CHOICE_LEDGER_FRESHNESS_MS_MAX": "1"})
    from events.streams import INDIVIDUALS, Position, Slice  # noqa: PLC0415 - the only test that makes one

    ahead = Position.of(Position.decode(position).generation, [(Slice(INDIVIDUALS, 0), 99)])
    answer = later.does("check", "ana", "website.surveys", "--json", "--after", ahead.encode()).json
    assert (answer["permitted"], answer["reason"]) == (False, "stale")


def test_the_examples_questions_have_the_examples_answers(example: Cli) -> None:
    """A file of questions gets the example's answers, byte by byte, and nothing else on standard output."""
    done = example.does("check", "--questions", str(EXAMPLES / "questions.ndjson"))
    assert done.out == (EXAMPLES / "answers.ndjson").read_text(encoding="utf-8")
    assert done.err == ""


def test_a_bad_line_of_questions_is_told_and_the_others_answered(example: Cli, tmp_path: Path) -> None:
    """A bad question is told with file, line and field; each of the others gets its decision, in order."""
    lines = (
        question(),
        b"{",
        b"",
        question(individual="a b"),
        question(at="tomorrow"),
        question(colour="red"),
        b'{"individual": "ana"}',
        question(data="name"),
        b"\xff",
        b'"' + b"x" * QUESTION_BYTES_MAX + b'"',
        question(purpose="hr.payroll"),
    )
    file = tmp_path / "questions.ndjson"
    file.write_bytes(b"\n".join(lines))
    done = example("check", "--questions", str(file))
    assert done.code == 1
    assert [line["reason"] for line in done.lines] == ["not_opted_out", "population_not_covered"]
    told = done.err.splitlines()
    assert [line.split(":")[1] for line in told[:-1]] == ["2", "4", "5", "6", "7", "8", "9", "10"]
    assert "`individual` must be a pseudonymous id" in told[1]
    assert "`at` must be an RFC 3339 instant" in told[2]
    assert "colour" not in done.err
    assert "`purpose` is missing" in told[4]
    assert "`data` must be a list of texts" in told[5]
    assert told[-1] == "error: 8 questions were refused; the others are answered"


def test_a_question_may_leave_out_what_has_a_default(example: Cli) -> None:
    """A question's tenant is the setting's where it is left out; instants may be null or left out."""
    lines = b'{"individual": "ana", "purpose": "website.periodic_email"}\n' + question(at=None, known_at=None)
    done = example.does("check", "--questions", "-", stdin=lines)
    assert [line["reason"] for line in done.lines] == ["not_opted_out", "not_opted_out"]


def test_questions_of_an_empty_file(example: Cli) -> None:
    """No question, no answer."""
    assert example.does("check", "--questions", "-", stdin=b"\n\n").out == ""


def test_questions_are_answered_as_they_come(example: Cli) -> None:
    """A program that writes a question and waits for the answer gets it before it writes the next one."""
    with subprocess.Popen(
        command_line("check", "--questions", "-"),
        env=process_environment(example.home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for purpose, reason in (
            ("website.surveys", "not_opted_out"),
            ("hr.payroll", "population_not_covered"),
        ):
            process.stdin.write(question(purpose=purpose) + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["reason"] == reason
        process.stdin.close()
        assert process.wait(timeout=30) == 0


def test_why_says_it_in_sentences(example: Cli) -> None:
    """An explanation has the question, the answer, why, the events that decided, and what would change it."""
    out = example.does("why", *ADCO).out
    asked = f"disclose data of {ADCO[0]} to adco for website.periodic_email on 5 June 2026, 00:00 UTC?"
    assert asked in out
    assert "Denied: opted_out. Policy privacy, version 2, declares the purpose." in out
    assert "opt-out of website.periodic_email, for disclosure to adco, on 20 May 2026" in out
    assert "recorded on 9 June 2026" in out
    assert "What would change it: A later opt-in" in out
    assert "If nothing more is recorded, this answer does not change." in out


def test_why_is_what_check_says(example: Cli) -> None:
    """The decision that is explained is the one that `check` gives, for each of the example's questions."""
    for line in (EXAMPLES / "questions.ndjson").read_text(encoding="utf-8").splitlines()[:12]:
        asked = json.loads(line)
        arguments = [asked["individual"], asked["purpose"], "--at", asked["at"], "--json"]
        for name in ("recipient", "known_at"):
            if asked.get(name) is not None:
                arguments += [f"--{name.replace('_', '-')}", asked[name]]
        explained = example.does("why", *arguments).json
        assert explained["decision"] == example.does("check", *arguments).json
        assert explained["explanation"]["events"] or not explained["decision"]["evidence"]


def test_why_tells_when_to_ask_again(example: Cli) -> None:
    """Where the answer will change by itself, the explanation says from when on to ask again."""
    at = ("--at", "2026-05-10T00:00:00Z", "--known-at", "2026-05-10T00:00:00Z")
    out = example.does("why", *ADCO[:4], *at).out
    assert "ask again on 2 June 2026, 09:00 UTC." in out


def test_the_default_instant_is_now(published: Cli) -> None:
    """Without `--at` the question is of now: an opt-out that was just recorded is in the answer."""
    published.does("individual", "describe", "ana", "--population", "visitor", "--jurisdiction", "US")
    published.does(*["notice", "record", "ana", "--policy", "privacy", "--version", "1", "--choice-offered"])
    assert published.does("check", "ana", "website.surveys", "--json").json["permitted"]
    published.does("choice", "record", "ana", "--opt-out", "website")
    assert published.does("check", "ana", "website.surveys", "--json").json["reason"] == "opted_out"


def test_history_is_in_the_order_of_what_happened(example: Cli) -> None:
    """The history of an individual goes by when things happened, and with `--json` it can be imported."""
    lines = example.does("history", "ben", "--json").lines
    assert [line["occurred_at"] for line in lines] == sorted(line["occurred_at"] for line in lines)
    assert {line["individual"] for line in lines} == {"ben"}
    table = example.does("history", "ben").out.splitlines()
    assert table[0].startswith("OCCURRED AT")
    assert len(table) == len(lines) + 1
    assert "opt-out of customer.tem" in table[-1]


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "ana", "website"),
        ("why", "ana", "website"),
        ("history", "ana"),
        ("policy", "list"),
        ("quarantine", "list"),
        ("digest",),
        ("export",),
    ],
)
def test_whoever_reads_a_ledger_that_is_not_there_is_told(arguments: tuple[str, ...], cli: Cli) -> None:
    """A reading command in a home without a ledger warns that one begins there; the next one does not."""
    done = cli.does(*arguments)
    assert done.err == (
        f"warning: there is no ledger in {cli.home} yet, so one begins there; is it the right --home?\n"
    )
    assert cli.does(*arguments).err == ""


def test_history_of_nobody_is_empty(example: Cli) -> None:
    """Somebody of whom nothing is recorded has no history; who can be nobody is refused."""
    assert example.does("history", "nobody", "--json").out == ""
    done = example("history", "a@b")
    assert (done.code, "`individual`" in done.err) == (1, True)


def test_one_tenant_sees_nothing_of_another(example: Cli) -> None:
    """Another tenant's questions about the same names find no policy and no history."""
    other = example.with_tenant("other")
    assert other.does("check", *ADCO, "--json").json["reason"] == "purpose_not_declared"
    assert other.does("history", "ana", "--json").out == ""
    assert other.does("policy", "list", "--json").json == []


def test_instants_are_shown_in_full() -> None:
    """Instants in answers have six digits of a second, so that they compare as texts."""
    assert format_instant(SECOND) == "1970-01-01T00:00:01.000000Z"
