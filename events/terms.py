"""Terms: what one version of a policy says about one purpose.

Source: ``semantics.md``, *PolicyAmended*, and ``events.md``, *What stands within events*.
"""

from typing import Final, Literal, TypeAlias

import msgspec

from events.envelope import InvalidEvent, check_key, check_name, check_text, check_version
from events.instants import DURATION_MAX, Micros

Mode: TypeAlias = Literal["necessary", "opt_out", "opt_in"]
Role: TypeAlias = Literal["agent", "third_party"]

STRICTNESS: Final[dict[Mode, int]] = {"necessary": 0, "opt_out": 1, "opt_in": 2}
"""``semantics.md``: "`necessary` < `opt_out` < `opt_in`"."""


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody to whom a purpose discloses; ``mode`` null means the mode of the purpose."""

    name: str
    role: Role = "third_party"
    mode: Mode | None = None

    def __post_init__(self) -> None:
        """Refuse a name that is empty, too long or unreadable."""
        check_name("name", self.name)


class TransferBasis(msgspec.Struct, frozen=True, kw_only=True):
    """The framework under which data of individuals of one jurisdiction may be transferred."""

    jurisdiction: str
    framework: str

    def __post_init__(self) -> None:
        """Refuse names that are empty, too long or unreadable."""
        check_name("jurisdiction", self.jurisdiction)
        check_name("framework", self.framework)


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """The terms of one purpose in one version of a policy.

    ``choice_period`` is the time people have to choose before a use begins (null: none); ``valid_for`` is
    how long an opt-in lasts (null: no end); ``populations`` null means everyone, and an empty list nobody.
    """

    key: str
    mode: Mode
    title: str = ""
    meaning: int = 1
    replaces: tuple[str, ...] = ()
    legal_basis: str = ""
    recipients: tuple[Recipient, ...] = ()
    data: tuple[str, ...] = ()
    populations: tuple[str, ...] | None = None
    transfer_basis: tuple[TransferBasis, ...] = ()
    choice_period: Micros | None = None
    valid_for: Micros | None = None
    survives_erasure: bool = False
    survives_restriction: bool = False

    def __post_init__(self) -> None:
        """Check names, texts and periods; what the semantics judge (void) is not refused here."""
        check_key("key", self.key)
        check_text("title", self.title)
        check_text("legal_basis", self.legal_basis)
        for replaced in self.replaces:
            check_key("replaces", replaced)
        for category in self.data:
            check_name("data", category)
        for population in self.populations or ():
            check_name("populations", population)
        check_version("meaning", self.meaning)
        _check_period("choice_period", self.choice_period)
        _check_period("valid_for", self.valid_for)

    def recipient(self, name: str) -> Recipient | None:
        """The first recipient of that name, or none."""
        return next((recipient for recipient in self.recipients if recipient.name == name), None)

    def mode_for(self, recipient: str | None) -> Mode:
        """The mode for a recipient that these terms name, else (own use included) the purpose's."""
        named = None if recipient is None else self.recipient(recipient)
        return self.mode if named is None or named.mode is None else named.mode


def _check_period(field: str, period: Micros | None) -> None:
    if period is not None and not 0 <= period <= DURATION_MAX:
        raise InvalidEvent(field, "must be a duration of at most 100 years (P36525D)")
