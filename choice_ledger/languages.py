"""The languages in which an answer is explained: messages, lists, numbers and dates in each.

A message is named by its English sentence. The others stand in ``choice_ledger/locale`` as gettext has them:
``.po`` to be read and edited, ``.mo`` made from it by ``make translations`` and shipped.
"""

import gettext
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

from events.instants import Micros, format_instant

Language: TypeAlias = Literal["en", "de", "fr"]

LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
"""The languages that are spoken, the default first."""

DOMAIN: Final = "choice_ledger"
"""The name of the catalogues."""

LOCALE_DIRECTORY: Final = Path(__file__).with_name("locale")
"""Where the catalogues are."""


def marked(message: str) -> str:
    """The message itself. It stands where a message is not said at once, so that it is found to be one."""
    return message


_MONTHS: Final = (
    marked("January"),
    marked("February"),
    marked("March"),
    marked("April"),
    marked("May"),
    marked("June"),
    marked("July"),
    marked("August"),
    marked("September"),
    marked("October"),
    marked("November"),
    marked("December"),
)


class Speech:
    """One language. What is said may hold values; they are put in as they stand."""

    def __init__(self, language: Language) -> None:
        """Speak a language. Raises FileNotFoundError where its catalogue was not installed."""
        self.language = language
        self._catalogue: gettext.NullTranslations = (
            gettext.NullTranslations()
            if language == LANGUAGES[0]
            else gettext.translation(DOMAIN, LOCALE_DIRECTORY, [language])
        )

    def say(self, message: str, /, **values: object) -> str:
        """A message in this language, with its values in their places."""
        return self._catalogue.gettext(message).format(**values)

    def counted(self, singular: str, plural: str, count: int, /, **values: object) -> str:
        """The form of a message that this language has for a number of things; ``{count}`` is the number."""
        return self._catalogue.ngettext(singular, plural, count).format(count=count, **values)

    def listed(self, names: Sequence[str]) -> str:
        """Names after one another; there must be one at least."""
        *first, last = names
        if not first:
            return last
        return self.say(marked("{names} and {last}"), names=", ".join(first), last=last)

    def instant(self, instant: Micros) -> str:
        """An instant as people write it, exactly: what is left out of the time is zero."""
        date, _, time = format_instant(instant).removesuffix("Z").partition("T")
        year, month, day = date.split("-")
        first = day == "01"
        message = (
            marked("1 {month} {year}, {time} UTC") if first else marked("{day} {month} {year}, {time} UTC")
        )
        values = {} if first else {"day": int(day)}
        return self.say(
            message, month=self.say(_MONTHS[int(month) - 1]), year=year, time=_shortened(time), **values
        )


@cache
def speech(language: Language) -> Speech:
    """The speech of a language; its catalogue is read once."""
    return Speech(language)


def _shortened(time: str) -> str:
    """A time of day without its fraction, and then without its seconds, where those are zero."""
    whole = time.removesuffix(".000000")
    return time if whole == time else whole.removesuffix(":00")
