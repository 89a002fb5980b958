"""Policy files: one version of a policy as policy-as-code, read into what ``PolicyAmended`` carries.

A file holds the fields of the event by the names of ``events.md``, the texts that people are shown, and the
registries (populations, data categories, recipients, jurisdictions, frameworks, channels) that its purposes
may refer to. Reading it gives plain values: the event is made elsewhere. A file with any fault gives them
all, each with its line and field, and nothing else: half a policy is none.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from choice_ledger.policy_fields import (
    Reader,
    Rule,
    Value,
    choice_of,
    distinct,
    duration,
    instant,
    integer,
    key,
    list_of,
    mapping_of,
    name,
    reference_to,
    registry_of,
    report_repeats,
    selector,
    short_text,
    table_of,
    truth,
)
from choice_ledger.policy_yaml import Mapping, Node, PolicyFileError, Scalar, Sequence, read_tree

FILE_BYTES_MAX: Final = 256 * 1024
"""Bytes of a policy file, its texts in files of their own not counted."""

WORDING_BYTES_MAX: Final = 1024 * 1024
"""Bytes of one text that people are shown."""

NOTICE_ITEMS: Final = (
    "participation",
    "data_types_and_entities",
    "subject_to_principles",
    "purposes",
    "contact",
    "third_parties",
    "right_of_access",
    "choices",
    "dispute_resolution",
    "enforcement_authority",
    "arbitration",
    "lawful_requests",
    "liability",
)
"""What a complete notice tells, in the order of the Privacy Shield's notice principle (1, a, i to xiii)."""

_MEDIA: Final = ("web", "intranet", "app", "email", "mail", "verbal", "api", "gpc")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """A file without a fault.

    ``amendment`` holds the fields of ``PolicyAmended`` in the line format, except those that every event has:
    instants and durations are texts, and what the file leaves out is left out. ``wording`` holds, by locale,
    the UTF-8 texts whose SHA-256 the amendment names. ``documentation`` holds what the event does not
    carry: the registries, the source, and where the wording tells each item of a notice.
    """

    amendment: dict[str, Value]
    wording: dict[str, bytes]
    documentation: dict[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFileRefused:
    """Why there is no policy in this file: every fault, in the order of the lines."""

    errors: tuple[PolicyFileError, ...]


FetchWording: TypeAlias = Callable[[str], bytes | str]
"""Gives the bytes of the file that a policy file names, or says in a text why not."""


def read_policy_file(path: Path) -> PolicyFile | PolicyFileRefused:
    """The policy in the file at ``path``, or all that is wrong with it. Its texts are sought beside it."""
    content = _bytes_of(path, FILE_BYTES_MAX)
    if isinstance(content, str):
        return PolicyFileRefused(errors=(PolicyFileError(line=1, field="", message=content),))
    return parse_policy_file(content, lambda file: _beside(path, file))


def parse_policy_file(content: bytes, fetch_wording: FetchWording) -> PolicyFile | PolicyFileRefused:
    """The policy in these bytes. ``fetch_wording`` is asked for texts that stand in files of their own."""
    text = _decoded(content)
    if isinstance(text, PolicyFileError):
        return PolicyFileRefused(errors=(text,))
    tree = read_tree(text)
    reader = Reader(errors=list(tree.errors))
    texts: dict[str, bytes] = {}
    fields = {} if tree.root is None else _top(fetch_wording, texts)(reader, tree.root, "")
    if reader.errors or not isinstance(fields, dict):
        return PolicyFileRefused(errors=tuple(sorted(reader.errors, key=lambda error: error.line)))
    documentation = {field: fields.pop(field) for field in list(fields) if field in _DOCUMENTATION}
    return PolicyFile(amendment=fields, wording=texts, documentation=documentation)


def _decoded(content: bytes) -> str | PolicyFileError:
    if len(content) > FILE_BYTES_MAX:
        return PolicyFileError(line=1, field="", message=f"has more than {FILE_BYTES_MAX} bytes; split it")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as fault:
        line = content.count(b"\n", 0, fault.start) + 1
        return PolicyFileError(line=line, field="", message="is not UTF-8; save the file as UTF-8")


# ------------------------------------------------------------------------------------------------ the format

_RECIPIENT: Final = mapping_of(
    {
        "name": reference_to("recipients"),
        "role": choice_of("agent", "third_party"),
        "mode": choice_of("necessary", "opt_out", "opt_in"),
    },
    required=("name",),
)

_TRANSFER_BASIS: Final = mapping_of(
    {"jurisdiction": reference_to("jurisdictions"), "framework": reference_to("frameworks")},
    required=("jurisdiction", "framework"),
)

_TERMS: Final = mapping_of(
    {
        "key": key,
        "title": short_text,
        "meaning": integer,
        "replaces": distinct(list_of(key)),
        "mode": choice_of("necessary", "opt_out", "opt_in"),
        "legal_basis": short_text,
        "recipients": list_of(_RECIPIENT),
        "data": distinct(list_of(reference_to("data_categories"))),
        "populations": distinct(list_of(reference_to("populations"))),
        "transfer_basis": list_of(_TRANSFER_BASIS),
        "choice_period": duration,
        "valid_for": duration,
        "survives_erasure": truth,
        "survives_restriction": truth,
    },
    required=("key", "mode"),
)

_REGISTRIES: Final[dict[str, dict[str, Rule]]] = {
    "jurisdictions": {},
    "frameworks": {"url": short_text},
    "channels": {"medium": choice_of(*_MEDIA)},
    "populations": {"channels": distinct(list_of(reference_to("channels")))},
    "data_categories": {},
    "recipients": {"role": choice_of("agent", "third_party")},
    "contacts": {"email": short_text, "address": short_text, "url": short_text},
}

_SOURCE: Final = mapping_of({"title": short_text, "url": short_text}, required=("title",))
_NOTICE: Final = mapping_of(dict.fromkeys(NOTICE_ITEMS, integer))
_DOCUMENTATION: Final = frozenset({*_REGISTRIES, "source", "notice_items"})


def _top(fetch_wording: FetchWording, texts: dict[str, bytes]) -> Rule:
    """The whole file: registries first, so that what comes after may refer to them wherever they stand."""
    return mapping_of(
        {
            **{registry: registry_of(registry, rules) for registry, rules in _REGISTRIES.items()},
            "source": _SOURCE,
            "notice_items": _NOTICE,
            "policy_id": name,
            "version": integer,
            "effective_at": instant,
            "title": short_text,
            "summary": short_text,
            "contact": short_text,
            "wording": table_of(name, _wording(fetch_wording, texts)),
            "purposes": _purposes,
            "gpc_purposes": distinct(list_of(_gpc_purpose)),
        },
        required=("policy_id", "version", "effective_at", "title", "purposes"),
    )


def _purposes(reader: Reader, node: Node, where: str) -> Value:
    """All terms of a version; an empty list is a withdrawal. What would make it void is refused."""
    purposes = list_of(_terms)(reader, node, where)
    if isinstance(node, Sequence) and isinstance(purposes, list):
        keys = [terms.get("key") if isinstance(terms, dict) else None for terms in purposes]
        report_repeats(reader, where, zip(node.items, keys, strict=True))
        reader.registries["purposes"] = {str(purpose): {} for purpose in keys if purpose is not None}
    return purposes


def _terms(reader: Reader, node: Node, where: str) -> Value:
    terms = _TERMS(reader, node, where)
    if isinstance(terms, dict) and isinstance(node, Mapping):
        recipients = next((entry.value for entry in node.entries if entry.key == "recipients"), None)
        if isinstance(recipients, Sequence):
            _check_recipients(reader, recipients, terms, f"{where}.recipients")
    return terms


def _check_recipients(reader: Reader, node: Sequence, terms: dict[str, Value], where: str) -> None:
    """Hold ``semantics.md``: no recipient twice, and "a third party is never `necessary`"."""
    recipients = terms["recipients"]
    assert isinstance(recipients, list)
    pairs = [
        (item, value) for item, value in zip(node.items, recipients, strict=True) if isinstance(value, dict)
    ]
    report_repeats(reader, where, ((item, value.get("name")) for item, value in pairs))
    for item, value in pairs:
        role = value.get("role", "third_party")
        if role == "third_party" and value.get("mode", terms.get("mode")) == "necessary":
            reader.fault(item.line, where, "a third party is never `necessary`; give it opt_out or opt_in")
        registered = reader.registries.get("recipients", {}).get(str(value.get("name")), {}).get("role", role)
        if role != registered:
            reader.fault(
                item.line, where, f"is `{role}` here and `{registered}` in `recipients`; make them one"
            )


def _gpc_purpose(reader: Reader, node: Node, where: str) -> Value:
    text = selector(reader, node, where)
    keys = reader.registries.get("purposes", {})
    if isinstance(text, str) and text != "*" and not any(f"{k}.".startswith(f"{text}.") for k in keys):
        reader.fault(node.line, where, f"`{text}` covers no purpose of this version; name one that it has")
    return text


# ----------------------------------------------------------------------------------------------- the wording

_WORDING_FILE: Final = mapping_of({"file": name}, required=("file",))


def _wording(fetch: FetchWording, texts: dict[str, bytes]) -> Rule:
    """A text inline, or ``{file: path}``; its value is the digest, and its bytes go to ``texts``."""

    def rule(reader: Reader, node: Node, where: str) -> Value:
        content = _wording_bytes(reader, node, where, fetch)
        if content is None:
            return None
        problem = content if isinstance(content, str) else _problem_of(content)
        if isinstance(content, str) or problem is not None:
            reader.fault(node.line, where, str(problem))
            return None
        texts[where.removeprefix("wording.")] = content
        return hashlib.sha256(content).hexdigest()

    return rule


def _wording_bytes(reader: Reader, node: Node, where: str, fetch: FetchWording) -> bytes | str | None:
    if isinstance(node, Scalar):
        return node.text.encode()
    fields = _WORDING_FILE(reader, node, where)
    file = fields.get("file") if isinstance(fields, dict) else None
    return fetch(file) if isinstance(file, str) else None


def _problem_of(content: bytes) -> str | None:
    if len(content) > WORDING_BYTES_MAX:
        return f"is a text of more than {WORDING_BYTES_MAX} bytes; shorten it"
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return "names a text that is not UTF-8; save it as UTF-8"
    return None if text.strip() else "is an empty text; write it or leave the locale out"


def _beside(path: Path, file: str) -> bytes | str:
    """The bytes of a file beside the policy file; one that lies elsewhere is not read, not through a link."""
    folder = path.parent.resolve()
    try:
        wanted = (folder / file).resolve()
    except (OSError, RuntimeError):  # Links that lead back to themselves.
        return "names a link that leads nowhere; name the file itself"
    if not wanted.is_relative_to(folder):
        return "names a file outside of the policy file's folder; copy it into the folder"
    return _bytes_of(wanted, WORDING_BYTES_MAX)


def _bytes_of(path: Path, bytes_max: int) -> bytes | str:
    """At most ``bytes_max`` bytes and one more, by which the caller sees that there are more."""
    try:
        if not path.is_file():
            return "names no file; check the path"
        with path.open("rb") as file:
            return file.read(bytes_max + 1)
    except OSError as fault:
        return f"cannot be read ({type(fault).__name__}); check the path and who may read it"
