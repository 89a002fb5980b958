"""What every event carries, and the checks that every event passes when it is made.

Source: ``events.md``, the paragraph "Every event carries". An event here is the *content*: what a client
may say. ``recorded_at`` is the ledger's alone, so it stands beside the content in ``Recorded``.
"""

import re
import unicodedata
from typing import Final, Literal, TypeAlias

import msgspec

from events.instants import INSTANT_MAX, INSTANT_MIN, Micros

TENANT_LENGTH_MAX: Final = 63
"""Characters of a tenant's name, as in a DNS label."""

INDIVIDUAL_BYTES_MAX: Final = 128
"""UTF-8 bytes of an individual's pseudonymous id."""

NAME_BYTES_MAX: Final = 128
"""UTF-8 bytes of any other name: purpose key, selector, policy id, recipient, data category, population."""

TEXT_BYTES_MAX: Final = 8_192
"""UTF-8 bytes of a short free text that is not personal data (title, summary, legal reference, reason)."""

LEDGER_TENANT: Final = "ledger"
"""The tenant of events that concern the ledger itself, such as its beginning. No controller may use it."""

VERSION_MAX: Final = 2**31 - 1
"""The greatest version (and meaning) that an event can name: a 32-bit integer."""

ActorKind: TypeAlias = Literal["individual", "agent", "guardian", "officer", "service", "authority"]
Medium: TypeAlias = Literal["web", "intranet", "app", "email", "mail", "verbal", "api", "gpc", "link"]

_TENANT: Final = re.compile(rf"[a-z0-9][a-z0-9-]{{0,{TENANT_LENGTH_MAX - 1}}}", re.ASCII)
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_KEY: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*", re.ASCII)
# Categories that no later version of Unicode changes, so that every Python refuses the same names.
_CONTROL_CATEGORIES: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})


class InvalidEvent(ValueError):
    """A value that an event may not have. ``field`` names it; the message never repeats the value,
    which may be personal data that strayed there.
    """

    def __init__(self, field: str, message: str) -> None:
        """Name the field and say what it must be."""
        super().__init__(f"`{field}` {message}")
        self.field = field
        self.message = message


def check_tenant(value: str) -> None:
    """Hold ``events.md``: "`tenant` matches `[a-z0-9][a-z0-9-]{0,62}`"."""
    if not _TENANT.fullmatch(value):
        raise InvalidEvent("tenant", "must be 1 to 63 of a-z, 0-9 and '-', not beginning with '-'")


def check_individual(value: str, field: str = "individual") -> None:
    """Hold ``events.md``: "1–128 bytes of NFC text without `/`, `@`, spaces and control characters"."""
    if value.isascii() and value.isalnum() and len(value) <= INDIVIDUAL_BYTES_MAX:
        return  # The common case, a plain pseudonym, needs none of the tests below.
    check_name(field, value, INDIVIDUAL_BYTES_MAX)
    if any(character in "/@" or character.isspace() for character in value):
        raise InvalidEvent(field, "must be a pseudonymous id without '/', '@' and spaces")


def check_name(field: str, value: str, bytes_max: int = NAME_BYTES_MAX) -> None:
    """Refuse an empty, over-long, non-NFC or control-bearing name (surrogates included)."""
    if not value or len(value) > bytes_max:
        raise InvalidEvent(field, f"must be 1 to {bytes_max} bytes of text")
    if value.isascii() and value.isprintable():
        return
    if any(unicodedata.category(character) in _CONTROL_CATEGORIES for character in value):
        raise InvalidEvent(field, "must not hold control characters")
    if not unicodedata.is_normalized("NFC", value):
        raise InvalidEvent(field, "must be Unicode text in normalisation form C")
    if len(value.encode()) > bytes_max:
        raise InvalidEvent(field, f"must be 1 to {bytes_max} bytes of text")


def check_text(field: str, value: str) -> None:
    """Refuse a free text above ``TEXT_BYTES_MAX`` or with a lone surrogate; it may be empty."""
    try:
        length = len(value.encode())
    except UnicodeEncodeError:
        raise InvalidEvent(field, "must be Unicode text without lone surrogates") from None
    if length > TEXT_BYTES_MAX:
        raise InvalidEvent(field, f"must be at most {TEXT_BYTES_MAX} bytes; store longer texts by digest")


def check_uuid(field: str, value: str) -> None:
    """Refuse what is not the lower-case text form of a UUID (RFC 9562)."""
    if not _UUID.fullmatch(value):
        raise InvalidEvent(field, "must be a UUID in lower-case text form")


def check_sha256(field: str, value: str) -> None:
    """Refuse what is not 64 lower-case hexadecimal digits."""
    if not _SHA256.fullmatch(value):
        raise InvalidEvent(field, "must be a SHA-256 digest in 64 lower-case hexadecimal digits")


def check_key(field: str, value: str) -> None:
    """Refuse what is no purpose key: words of letters, digits, ``_`` and ``-``, joined by dots."""
    if len(value) > NAME_BYTES_MAX or not _KEY.fullmatch(value):
        raise InvalidEvent(field, "must be a purpose key such as hr.payroll (letters, digits, '_', '-', '.')")


def check_selector(field: str, value: str) -> None:
    """Refuse what is no selector: a purpose key, a branch of the tree, or ``*``."""
    if value != "*":
        check_key(field, value)


def check_instant(field: str, value: Micros) -> None:
    """Refuse an instant that RFC 3339 cannot write (years 1 to 9999)."""
    if not INSTANT_MIN <= value <= INSTANT_MAX:
        raise InvalidEvent(field, "must be an instant of the years 0001 to 9999")


def check_version(field: str, value: int) -> None:
    """Refuse a version that 32 bits cannot hold; one that cannot stand (0, a gap) the fold judges."""
    if not -VERSION_MAX <= value <= VERSION_MAX:
        raise InvalidEvent(field, f"must be an integer of at most {VERSION_MAX}")


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who spoke: the individual, somebody for them, or an office. ``id`` is pseudonymous, or null."""

    kind: ActorKind = "individual"
    id: str | None = None

    def __post_init__(self) -> None:
        """Refuse an id that could be an address."""
        if self.id is not None:
            check_individual(self.id, "actor.id")


SELF: Final = Actor()
"""The individual, speaking for themselves: the actor where a line names none."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True, omit_defaults=False):
    """The fields that every event has. Never made by itself: each event type extends it."""

    event_id: str
    tenant: str
    occurred_at: Micros
    actor: Actor = SELF
    medium: Medium = "api"
    caused_by: str | None = None

    def __post_init__(self) -> None:
        """Check the common fields; event types with rules of their own extend this."""
        check_uuid("event_id", self.event_id)
        check_tenant(self.tenant)
        check_instant("occurred_at", self.occurred_at)
        if self.caused_by is not None:
            check_uuid("caused_by", self.caused_by)


class PolicyStreamEvent(Envelope, frozen=True, kw_only=True):
    """An event of the stream ``consent.policies``; its key is the tenant."""

    @property
    def key(self) -> str:
        """The record key: events of one key stay in order."""
        return self.tenant


class IndividualStreamEvent(Envelope, frozen=True, kw_only=True):
    """An event of the stream ``consent.individuals``; its key is ``tenant/individual``."""

    individual: str

    def __post_init__(self) -> None:
        """Check the common fields and the individual's id."""
        Envelope.__post_init__(self)
        check_individual(self.individual)

    @property
    def key(self) -> str:
        """The record key: events of one key stay in order."""
        return f"{self.tenant}/{self.individual}"
