"""What a token looks like: a prefix, 256 bits of randomness and a checksum of them, in letters and digits.

The prefix lets a scanner of sources tell one that leaked; the checksum tells one that was cut or mistyped
from one that is not known, before anything is looked up. Neither is a secret.
"""

import hashlib
import string
import zlib
from typing import Final

TOKEN_PREFIX: Final = "clt_"  # noqa: S105 - how a token begins is no secret
"""How every token begins."""

SECRET_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
"""The signs of a token's secret part, none of which has to be escaped anywhere."""

SECRET_LENGTH: Final = 43
"""Signs of the secret part: the fewest of 62 that hold 256 bits."""

_CHECK_LENGTH: Final = 6
_LENGTH: Final = len(TOKEN_PREFIX) + SECRET_LENGTH + _CHECK_LENGTH


def token_text(secret: str) -> str:
    """The token with this secret part."""
    return TOKEN_PREFIX + secret + checksum(secret)


def is_whole(token: str) -> bool:
    """Whether a text is a token that nobody cut or mistyped; whether it is known is another question."""
    if len(token) != _LENGTH or not token.startswith(TOKEN_PREFIX) or not token.isascii():
        return False
    return token[-_CHECK_LENGTH:] == checksum(token[len(TOKEN_PREFIX) : -_CHECK_LENGTH])


def checksum(secret: str) -> str:
    """The CRC-32 of a secret part, in six signs."""
    number, text = zlib.crc32(secret.encode()), ""
    for _ in range(_CHECK_LENGTH):
        number, digit = divmod(number, len(SECRET_ALPHABET))
        text = SECRET_ALPHABET[digit] + text
    return text


def digest_of(token: str) -> str:
    """What is kept of a token: the SHA-256 of its text, in hexadecimal digits."""
    return hashlib.sha256(token.encode()).hexdigest()
