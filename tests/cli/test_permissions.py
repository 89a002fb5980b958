"""`permissions` and `why --language`: what the command line says of an individual."""

import json

import pytest

from tests.cli.running import EXAMPLES, Cli

AT = ("--at", "2026-06-05T00:00:00Z")


def test_each_use_has_a_line(example: Cli) -> None:
    """The table has one line for each use, and says of each what `check` says."""
    listed = example.does("permissions", "ana", *AT, "--json").json
    table = example.does("permissions", "ana", *AT).out.splitlines()
    assert len(table) == len(listed["permissions"]) + 1
    assert table[0].split() == ["PURPOSE", "TO", "ANSWER", "REASON", "UNTIL"]
    for permission, line in zip(listed["permissions"], table[1:], strict=True):
        to = () if permission["recipient"] is None else ("--recipient", permission["recipient"])
        checked = example.does("check", "ana", permission["purpose"], *to, *AT, "--json").json
        decision = permission["decision"]
        assert {name: decision[name] for name in checked} == checked
        cells = line.split()
        assert cells[:4] == [
            permission["purpose"],
            permission["recipient"] or "-",
            "permitted" if checked["permitted"] else "denied",
            checked["reason"],
        ]
        assert cells[4] == (checked["until"] or "-")


def test_a_branch_and_both_instants(example: Cli) -> None:
    """`--purpose` narrows the list, and the instants are those of `check`."""
    hr = example.does("permissions", "dora", "--purpose", "hr", *AT, "--known-at", AT[1], "--json").json
    assert hr["permissions"]
    assert all(p["purpose"].startswith("hr.") for p in hr["permissions"])
    assert (hr["at"], hr["known_at"]) == ("2026-06-05T00:00:00.000000Z",) * 2


@pytest.mark.parametrize(
    ("words", "field"), [(("a@b",), "individual"), (("ana", "--purpose", "a b"), "purpose")]
)
def test_what_no_name_can_be_is_refused(example: Cli, words: tuple[str, ...], field: str) -> None:
    """A name that no event could have is refused, and not repeated."""
    ended = example("permissions", *words, "--json")
    assert ended.code == 1
    assert json.loads(ended.err)["error"]["field"] == field
    assert words[-1] not in ended.err


def test_too_many_uses_are_refused(example: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are more uses than are listed at once, the command says to select a branch."""
    monkeypatch.setattr("projections.permissions.USES_MAX", 1)
    ended = example("permissions", "ana")
    assert ended.code == 1
    assert "select a branch" in ended.err


def test_whom_the_law_compels_is_listed(example: Cli) -> None:
    """Somebody whom no policy names is listed where the law compels to tell them."""
    example.does("disclosure", "compel", "ana", "court", "--legal-reference", "order 7")
    listed = example.does("permissions", "ana", "--json").json["permissions"]
    to_court = [p["decision"] for p in listed if p["recipient"] == "court"]
    assert to_court
    assert {decision["reason"] for decision in to_court} == {"required_by_law"}


@pytest.mark.parametrize(
    ("language", "answer", "because"),
    [
        ("en", "Denied: opted_out.", "The individual opted out"),
        ("de", "Nicht zulässig: opted_out.", "Die betroffene Person hat widersprochen"),
        ("fr", "Refusé\u00a0: opted_out.", "La personne concernée s’est opposée"),
    ],
)
def test_why_speaks_languages(example: Cli, language: str, answer: str, because: str) -> None:
    """Each language has the whole explanation; the codes of the reasons stay."""
    question = ("ana", "website.periodic_email", "--recipient", "adco", *AT)
    out = example.does("why", *question, "--language", language).out
    assert answer in out
    assert because in out


def test_a_language_that_is_not_spoken_is_refused(example: Cli) -> None:
    """On the command line the languages are a choice of three."""
    ended = example("why", "ana", "website.surveys", "--language", "tlh")
    assert ended.code == 2
    assert "en" in ended.err


def test_each_of_the_examples_questions_is_explained_in_german(example: Cli) -> None:
    """No sentence of an explanation is left in English, whatever the reason."""
    for line in (EXAMPLES / "questions.ndjson").read_text(encoding="utf-8").splitlines():
        asked = json.loads(line)
        words = ["why", asked["individual"], asked["purpose"]]
        for name in ("recipient", "at", "known_at"):
            if asked.get(name) is not None:
                words += [f"--{name.replace('_', '-')}", asked[name]]
        english = example.does(*words, "--json").json["explanation"]
        german = example.does(*words, "--json", "--language", "de").json["explanation"]
        assert len(german["events"]) == len(english["events"])
        for name in ("question", "answer", "because", "would_change", "until"):
            assert german[name] != english[name]
        assert all(a != b for a, b in zip(german["events"], english["events"], strict=True))
