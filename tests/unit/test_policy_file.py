"""Policy files: what is read, and how a file with faults is refused."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choice_ledger.policy_fields import INTEGER_MAX
from choice_ledger.policy_file import (
    FILE_BYTES_MAX,
    NOTICE_ITEMS,
    WORDING_BYTES_MAX,
    PolicyFile,
    PolicyFileRefused,
    parse_policy_file,
    read_policy_file,
)
from choice_ledger.policy_yaml import ALIASES_MAX, DEPTH_MAX, NODES_MAX, PolicyFileError, read_tree
from events.lines import event_from_fields
from events.policy_events import PolicyAmended

WHOLE = """\
policy_id: shop
version: 3
effective_at: 2026-05-01T09:30:00Z
title: The shop
summary: What the shop does.
contact: privacy@shop.example
wording:
  en: What we do.
source: {title: A source, url: "https://shop.example"}
jurisdictions: {EU: {title: The Union}}
frameworks: {shield: {title: A shield}}
channels: {site: {title: The site, medium: web}}
populations: {visitor: {title: Visitors, channels: [site]}}
data_categories: {email: {title: An address}, name: {title: A name}}
recipients: {printer: {title: A printer, role: agent}, adco: {title: Advertising}}
contacts: {officer: {title: The officer, email: privacy@shop.example}}
notice_items: {purposes: 4}
purposes:
  - key: mail.offers
    title: Offers
    meaning: 2
    replaces: [mail.letters]
    mode: opt_out
    legal_basis: legitimate_interest
    recipients: [{name: printer, role: agent, mode: necessary}, {name: adco}]
    data: [email, name]
    populations: [visitor]
    transfer_basis: [{jurisdiction: EU, framework: shield}]
    choice_period: P30D
    valid_for: PT36H
    survives_erasure: false
    survives_restriction: true
  - {key: shop.orders, mode: necessary}
gpc_purposes: [mail]
"""

SMALL = "policy_id: p\nversion: 1\neffective_at: 2026-01-01T00:00:00Z\ntitle: T\npurposes: []\n"


def no_file(file: str) -> bytes | str:
    return f"names no file {file}"


def read(text: str | bytes, fetch: Callable[[str], bytes | str] = no_file) -> PolicyFile:
    result = parse_policy_file(text if isinstance(text, bytes) else text.encode(), fetch)
    assert isinstance(result, PolicyFile), result
    return result


def refused(text: str | bytes, fetch: Callable[[str], bytes | str] = no_file) -> tuple[PolicyFileError, ...]:
    result = parse_policy_file(text if isinstance(text, bytes) else text.encode(), fetch)
    assert isinstance(result, PolicyFileRefused)
    assert result.errors
    return result.errors


def only(errors: tuple[PolicyFileError, ...]) -> PolicyFileError:
    assert len(errors) == 1, [str(error) for error in errors]
    return errors[0]


# ------------------------------------------------------------------------------------------- what is read


def test_a_whole_file_gives_the_fields_of_the_line_format() -> None:
    """Every field of an amendment comes out by its name in a line, instants and durations as text."""
    assert read(WHOLE).amendment == {
        "policy_id": "shop",
        "version": 3,
        "effective_at": "2026-05-01T09:30:00.000000Z",
        "title": "The shop",
        "summary": "What the shop does.",
        "contact": "privacy@shop.example",
        "wording": {"en": hashlib.sha256(b"What we do.").hexdigest()},
        "purposes": [
            {
                "key": "mail.offers",
                "title": "Offers",
                "meaning": 2,
                "replaces": ["mail.letters"],
                "mode": "opt_out",
                "legal_basis": "legitimate_interest",
                "recipients": [{"name": "printer", "role": "agent", "mode": "necessary"}, {"name": "adco"}],
                "data": ["email", "name"],
                "populations": ["visitor"],
                "transfer_basis": [{"jurisdiction": "EU", "framework": "shield"}],
                "choice_period": "P30D",
                "valid_for": "P1DT12H",
                "survives_erasure": False,
                "survives_restriction": True,
            },
            {"key": "shop.orders", "mode": "necessary"},
        ],
        "gpc_purposes": ["mail"],
    }


def test_what_a_file_gives_is_an_amendment_that_the_event_accepts() -> None:
    """The plain fields, with what every event has, make a valid PolicyAmended."""
    envelope = {
        "type": "PolicyAmended",
        "event_id": "00000000-0000-7000-8000-000000000001",
        "tenant": "shop",
        "occurred_at": "2026-04-01T00:00:00Z",
    }
    event = event_from_fields({**envelope, **read(WHOLE).amendment})
    assert isinstance(event, PolicyAmended)
    assert [terms.key for terms in event.purposes] == ["mail.offers", "shop.orders"]


def test_what_only_documents_is_kept_apart() -> None:
    """Registries, source and notice items are given beside the amendment and are no part of it."""
    policy = read(WHOLE)
    assert set(policy.documentation) == {
        "jurisdictions",
        "frameworks",
        "channels",
        "populations",
        "data_categories",
        "recipients",
        "contacts",
        "source",
        "notice_items",
    }
    assert not set(policy.documentation) & set(policy.amendment)


def test_a_version_without_purposes_is_a_withdrawal() -> None:
    """An empty list of purposes is read as it stands: it withdraws the policy."""
    assert read(SMALL).amendment["purposes"] == []


def test_null_is_the_same_as_leaving_out() -> None:
    """A field that is null is as if it were not written."""
    text = SMALL + "summary:\ngpc_purposes: null\ncontact: ~\n"
    assert set(read(text).amendment) == {"policy_id", "version", "effective_at", "title", "purposes"}


def test_an_empty_list_of_populations_is_not_null() -> None:
    """Nobody (an empty list) is told apart from everybody (left out)."""
    text = SMALL.replace("purposes: []", "purposes: [{key: a, mode: opt_in, populations: []}]")
    assert read(text).amendment["purposes"] == [{"key": "a", "mode": "opt_in", "populations": []}]


def test_an_alias_stands_for_what_its_anchor_holds() -> None:
    """Anchors save repetition: what an alias names is read in its place."""
    text = SMALL.replace(
        "purposes: []",
        "data_categories: {a: {title: A}}\npurposes:\n- {key: x, mode: opt_in, data: &d [a]}\n"
        "- {key: y, mode: opt_in, data: *d}",
    )
    purposes = read(text).amendment["purposes"]
    assert isinstance(purposes, list)
    assert [terms["data"] for terms in purposes] == [["a"], ["a"]]


def test_registries_may_stand_below_their_use() -> None:
    """The order of the fields in a file does not matter."""
    lines = SMALL.replace("purposes: []", "purposes: [{key: a, mode: opt_in, data: [x]}]")
    assert "data_categories" in read(lines + "data_categories: {x: {title: X}}\n").documentation


def test_a_byte_order_mark_is_passed_over() -> None:
    """A file saved with a UTF-8 byte order mark is read like one without."""
    assert read(b"\xef\xbb\xbf" + SMALL.encode()).amendment == read(SMALL).amendment


def test_words_that_yaml_takes_for_truth_values_may_be_names() -> None:
    """A key such as `no` (Norwegian, Norway) is the name that it looks like."""
    assert set(read(SMALL + "wording: {no: Tekst}\njurisdictions: {NO: {title: Norway}}\n").wording) == {"no"}


# --------------------------------------------------------------------------------------------- the wording


def test_an_inline_text_is_named_by_the_digest_of_its_utf_8() -> None:
    """The amendment carries the SHA-256 of the text's UTF-8 bytes, and the bytes come beside it."""
    policy = read(SMALL + "wording:\n  fr: |\n    Été\n")
    assert policy.wording == {"fr": "Été\n".encode()}
    assert policy.amendment["wording"] == {"fr": hashlib.sha256("Été\n".encode()).hexdigest()}


def test_a_text_in_a_file_beside_is_taken_byte_for_byte(tmp_path: Path) -> None:
    """A file's bytes are the text, line ends and all."""
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "de.md").write_bytes(b"Zeile\r\n")
    path = tmp_path / "policy.yaml"
    path.write_text(SMALL + "wording: {de: {file: texts/de.md}}\n", encoding="utf-8")
    policy = read_policy_file(path)
    assert isinstance(policy, PolicyFile)
    assert policy.wording == {"de": b"Zeile\r\n"}


@pytest.mark.parametrize("file", ["../secret.md", "/etc/passwd", "link.md", "linked/secret.md"])
def test_a_text_outside_of_the_folder_is_not_read(tmp_path: Path, file: str) -> None:
    """Neither dots, nor an absolute path, nor a link leads out of the policy file's folder."""
    folder = tmp_path / "policies"
    folder.mkdir()
    (tmp_path / "secret.md").write_text("secret", encoding="utf-8")
    (folder / "link.md").symlink_to(tmp_path / "secret.md")
    (folder / "linked").symlink_to(tmp_path)
    path = folder / "policy.yaml"
    path.write_text(SMALL + f"wording: {{en: {{file: {file}}}}}\n", encoding="utf-8")
    result = read_policy_file(path)
    assert isinstance(result, PolicyFileRefused)
    error = only(result.errors)
    assert (error.line, error.field) == (6, "wording.en")
    assert "outside" in error.message
    assert "secret" not in str(error)


@pytest.mark.parametrize("file", ["missing.md", "folder", "loop", '"nul\\0"'])
def test_a_text_that_is_no_file_is_a_fault_of_its_line(tmp_path: Path, file: str) -> None:
    """A text that cannot be read is a fault where the file names it."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    path = tmp_path / "policy.yaml"
    path.write_text(SMALL + f"wording: {{en: {{file: {file}}}}}\n", encoding="utf-8")
    result = read_policy_file(path)
    assert isinstance(result, PolicyFileRefused)
    error = only(result.errors)
    assert error.line == 6
    assert error.field.startswith("wording.en")


def test_a_text_may_have_its_limit_and_no_byte_more() -> None:
    """A wording of exactly the limit is read, and one byte more is refused."""
    text = SMALL + "wording: {en: {file: en.md}}\n"
    assert len(read(text, lambda _: b"x" * WORDING_BYTES_MAX).wording["en"]) == WORDING_BYTES_MAX
    assert str(WORDING_BYTES_MAX) in only(refused(text, lambda _: b"x" * (WORDING_BYTES_MAX + 1))).message


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff"])
def test_a_text_that_nobody_can_read_is_refused(content: bytes) -> None:
    """An empty text and one that is not UTF-8 are faults."""
    assert only(refused(SMALL + "wording: {en: {file: en.md}}\n", lambda _: content)).field == "wording.en"


# ------------------------------------------------------------------------------------------- what is refused

FAULTS = [
    ("policy_id: shop", "policy_id: ''", 1, "policy_id", "must"),
    ("version: 3", "version: 0", 2, "version", "whole number"),
    ("version: 3", "version: '3'", 2, "version", "whole number"),
    ("version: 3", "version: 0x3", 2, "version", "whole number"),
    ("version: 3", f"version: {INTEGER_MAX + 1}", 2, "version", "whole number"),
    ("T09:30:00Z", "", 3, "effective_at", "RFC 3339"),
    ("T09:30:00Z", "T09:30:00+02:00", 3, "effective_at", "RFC 3339"),
    ("title: The shop", "title: 12", 4, "title", "quotes"),
    ("title: The shop", "title: yes", 4, "title", "quotes"),
    ("title: The shop", "title: [a]", 4, "title", "must be a text"),
    ("title: The shop", "title: ' '", 4, "title", "empty"),
    ("summary: What", "sumary: What", 5, "sumary", "did you mean `summary`"),
    ("en: What we do.", "en: ''", 8, "wording.en", "empty"),
    ("en: What we do.", "en: {path: x}", 8, "wording.en.path", "`file`"),
    ("{EU: {title: The Union}}", "[EU]", 10, "jurisdictions", "mapping"),
    ("{title: The Union}", "The Union", 10, "jurisdictions.EU", "mapping"),
    ("medium: web", "medium: post", 12, "channels.site.medium", "`web`"),
    ("channels: [site]", "channels: [shop]", 13, "populations.visitor.channels[0]", "not in `channels`"),
    ("{title: A printer, role", "{role", 15, "recipients.printer.title", "missing"),
    ("{purposes: 4}", "{porpoises: 4}", 17, "notice_items.porpoises", "did you mean `purposes`"),
    ("key: mail.offers", "key: mail/offers", 19, "purposes[0].key", "purpose key"),
    ("meaning: 2", "meaning: two", 21, "purposes[0].meaning", "whole number"),
    ("[mail.letters]", "[a, a]", 22, "purposes[0].replaces", "twice"),
    ("[mail.letters]", "mail.letters", 22, "purposes[0].replaces", "list"),
    ("    mode: opt_out\n", "    mode: optout\n", 23, "purposes[0].mode", "one of"),
    ("name: adco}]", "name: adc0}]", 25, "purposes[0].recipients[1].name", "did you mean `adco`"),
    ("name: printer, role: agent", "name: printer", 25, "purposes[0].recipients", "make them one"),
    ("{name: adco}", "{name: adco, mode: necessary}", 25, "purposes[0].recipients", "never `necessary`"),
    ("{name: adco}]", "{name: adco}, {name: adco}]", 25, "purposes[0].recipients", "twice"),
    ("data: [email, name]", "data: [email, shoe]", 26, "purposes[0].data[1]", "not in `data_categories`"),
    ("data: [email, name]", "data: [email, email]", 26, "purposes[0].data", "twice"),
    ("populations: [visitor]", "populations: [ghost]", 27, "purposes[0].populations[0]", "`visitor`"),
    ("jurisdiction: EU", "jurisdiction: DE", 28, "purposes[0].transfer_basis[0].jurisdiction", "`EU`"),
    ("framework: shield", "framework: seal", 28, "purposes[0].transfer_basis[0].framework", "not in"),
    ("P30D", "P1M", 29, "purposes[0].choice_period", "ISO 8601"),
    ("survives_erasure: false", "survives_erasure: no", 31, "purposes[0].survives_erasure", "true or false"),
    ("  - {key: shop.orders, mode", "  - {key: mail.offers, mode", 33, "purposes", "twice"),
    ("{key: shop.orders, mode: necessary}", "{key: shop.orders}", 33, "purposes[1].mode", "missing"),
    ("{key: shop.orders, mode: necessary}", "shop.orders", 33, "purposes[1]", "mapping"),
    ("gpc_purposes: [mail]", "gpc_purposes: [mail.off]", 34, "gpc_purposes[0]", "covers no purpose"),
    ("purposes:\n", "purposes: none\nold:\n", 18, "purposes", "list"),
    ("summary: What the", f"summary: {'x' * 9_000}", 5, "summary", "at most"),
    ("effective_at: 2026-05-01T09:30:00Z", "effective_at: [a]", 3, "effective_at", "must be a text"),
    ("version: 3", "version: 3\nversion: 4", 3, "version", "twice, first on line 2"),
    ("title: The shop", "title: !!python/name:os.system x", 4, "title", "tag"),
    ("title: The shop", 'title: "\\ud800"', 4, "title", "half a character"),
]


@pytest.mark.parametrize(("old", "new", "line", "field", "words"), FAULTS)
def test_a_fault_is_told_by_line_field_and_remedy(
    old: str, new: str, line: int, field: str, words: str
) -> None:
    """Each fault of an otherwise good file is named by its line and field, and nothing is read."""
    assert old in WHOLE
    errors = refused(WHOLE.replace(old, new, 1))
    assert any((error.line, error.field) == (line, field) and words in error.message for error in errors), [
        str(error) for error in errors
    ]


@pytest.mark.parametrize("field", ["policy_id", "version", "effective_at", "title", "purposes"])
def test_a_field_that_every_policy_needs_is_missed_by_name(field: str) -> None:
    """Leaving out what an amendment cannot do without is a fault of that name."""
    text = "".join(line for line in SMALL.splitlines(keepends=True) if not line.startswith(field))
    assert only(refused(text)).field == field


def test_all_faults_are_told_at_once_in_the_order_of_the_lines() -> None:
    """A writer sees every fault of a file at the first try, from the top to the bottom."""
    text = WHOLE.replace("version: 3", "version: x").replace("P30D", "P1M").replace("[mail]", "[nail]")
    assert [error.line for error in refused(text)] == [2, 29, 34]


def test_a_third_party_inherits_necessary_and_is_refused() -> None:
    """A third party without a mode of its own has the purpose's, which may not be `necessary`."""
    purposes = "purposes: [{key: a, mode: necessary, recipients: [{name: adco}]}]"
    text = SMALL.replace("purposes: []", f"recipients: {{adco: {{title: A}}}}\n{purposes}")
    assert "never `necessary`" in only(refused(text)).message


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "empty"),
        ("# only a comment\n", 1, "empty"),
        ("- a\n", 1, "mapping"),
        ("a: [1,\n2", 2, "not YAML"),
        ("a: 1\n---\nb: 1\n", 2, "not YAML"),
        ("a: b\nc: \x1b[31m", 2, "U+001B"),
        ('a: b\nc: "\\UFFFFFFFF"', 2, "names no character"),
        ("a: b\n? [x]\n: y\n", 2, "key that is no text"),
    ],
)
def test_a_text_that_is_no_policy_at_all_is_refused(text: str, line: int, words: str) -> None:
    """What cannot be read as one mapping is refused with the line at which reading ended."""
    assert any(error.line == line and words in error.message for error in refused(text))


def test_bytes_that_are_not_utf_8_are_refused_by_line() -> None:
    """A byte that no UTF-8 text has is told by its line."""
    assert only(refused(SMALL.encode() + b"summary: caf\xe9\n")).line == 6


def test_a_path_to_no_file_is_refused(tmp_path: Path) -> None:
    """A policy file that is not there, or is a folder, is refused in words."""
    for path in (tmp_path / "none.yaml", tmp_path):
        result = read_policy_file(path)
        assert isinstance(result, PolicyFileRefused)
        assert "names no file" in only(result.errors).message


def test_a_path_that_the_system_refuses_is_refused_in_words(tmp_path: Path) -> None:
    """A path that the operating system cannot even look for is a fault like any other."""
    result = read_policy_file(tmp_path / ("x" * 300))
    assert isinstance(result, PolicyFileRefused)
    assert "cannot be read" in only(result.errors).message


def test_a_fault_never_carries_control_signs_to_the_terminal() -> None:
    """A field's name that holds an escape sequence is shown harmlessly."""
    assert all(str(error).isprintable() for error in refused('"\\e[31m\\u202e": 1\n' + SMALL))


def test_a_fault_without_a_field_reads_as_a_sentence() -> None:
    """A fault of the whole file names its line and no field."""
    assert str(PolicyFileError(line=7, field="", message="is not YAML")) == "line 7: is not YAML"
    assert str(PolicyFileError(line=7, field="title", message="is empty")) == "line 7: `title` is empty"


# ------------------------------------------------------------------------------------------------ the limits


def test_a_file_may_have_its_limit_and_no_byte_more(tmp_path: Path) -> None:
    """A policy file of exactly the limit is read, and one byte more is refused."""
    text = SMALL + "#" * (FILE_BYTES_MAX - len(SMALL))
    path = tmp_path / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    assert isinstance(read_policy_file(path), PolicyFile)
    path.write_text(text + "#", encoding="utf-8")
    result = read_policy_file(path)
    assert isinstance(result, PolicyFileRefused)
    assert str(FILE_BYTES_MAX) in only(result.errors).message


def test_as_many_aliases_as_the_limit_are_followed() -> None:
    """The limit's number of aliases is read, and one more is refused."""

    def with_aliases(count: int) -> str:
        return "a: &a x\nb: [" + ", ".join(["*a"] * count) + "]\n"

    assert not read_tree(with_aliases(ALIASES_MAX)).errors
    assert "aliases" in only(read_tree(with_aliases(ALIASES_MAX + 1)).errors).message


def test_an_alias_costs_what_it_stands_for() -> None:
    """Twenty lines that would grow to millions of values are refused before they do."""
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1}, ' * 30}]\n" for n in range(1, 9))
    assert str(NODES_MAX) in only(read_tree(bomb).errors).message


def test_an_anchor_that_holds_itself_is_refused() -> None:
    """A value within itself has no end, and is not followed."""
    assert "holds itself" in only(read_tree("a: &a [*a]\n").errors).message


def test_as_many_values_as_the_limit_are_read() -> None:
    """The limit's number of values is read, and one more is refused."""
    assert not read_tree("[" + "a," * (NODES_MAX - 1) + "]").errors
    assert "more than" in only(read_tree("[" + "a," * NODES_MAX + "]").errors).message


def test_as_many_levels_as_the_limit_are_read() -> None:
    """Nesting as deep as the limit is read, and one level more is refused."""
    assert not read_tree("[" * DEPTH_MAX + "]" * DEPTH_MAX).errors
    assert "deeper" in only(read_tree("[" * (DEPTH_MAX + 1) + "]" * (DEPTH_MAX + 1)).errors).message


def test_the_greatest_version_is_read() -> None:
    """The greatest number that the event holds is a version."""
    assert read(SMALL.replace("version: 1", f"version: {INTEGER_MAX}")).amendment["version"] == INTEGER_MAX


def test_the_notice_has_thirteen_items() -> None:
    """Each of the thirteen items of a complete notice has one name."""
    assert len(set(NOTICE_ITEMS)) == 13


# ---------------------------------------------------------------------------------------------- at any input

SCRAPS = st.sampled_from(
    [
        *WHOLE.splitlines(keepends=True),
        "- ",
        "? ",
        ": ",
        "&a ",
        "*a",
        "|\n",
        "{",
        "}",
        "[",
        "]",
        "<<",
        '"',
        "!!str ",
    ]
)


@given(st.lists(SCRAPS | st.text(max_size=8), max_size=30).map("".join))
def test_no_text_makes_the_reader_fail(text: str) -> None:
    """Whatever the text, the answer is a policy or a list of faults, each on a line that the text has."""
    content = text.encode("utf-8", "surrogatepass")
    result = parse_policy_file(content, no_file)
    if isinstance(result, PolicyFileRefused):
        lines = len(text.splitlines()) + 2
        assert all(1 <= error.line <= lines for error in result.errors)
    else:
        assert result.amendment["policy_id"]


@given(st.binary(max_size=64))
def test_no_bytes_make_the_reader_fail(content: bytes) -> None:
    """Whatever the bytes, the answer is a policy or a list of faults."""
    assert isinstance(parse_policy_file(content, no_file), PolicyFileRefused)
