"""Tokens of one home directory, in one file: what each is good for, and a digest of each; never a token."""

import fcntl
import hashlib
import os
import secrets
import string
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from choice_ledger.access import Caller, Scope
from events.instants import Micros

TOKEN_PREFIX: Final = "clt_"  # noqa: S105 - how a token begins is no secret
"""How every token begins, so that a scanner of sources can tell one that leaked."""

TOKENS_MAX: Final = 10_000
"""Tokens in one file, those that are over included."""

_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SECRET_LENGTH: Final = 43
_CHECK_LENGTH: Final = 6


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a token: who bears it, what for, from when to when, and the SHA-256 of its text."""

    id: str
    name: str
    tenant: str
    scopes: tuple[Scope, ...]
    created_at: Micros
    expires_at: Micros
    sha256: str
    revoked_at: Micros | None = None


class TokenFile:
    """The tokens in a file that is for its owner alone. Safe from many threads and processes."""

    def __init__(self, path: Path) -> None:
        """Use a file, which begins to exist with its first token."""
        self._path = path

    def tokens(self) -> tuple[Token, ...]:
        """Every token, in the order in which they were made."""
        if not self._path.exists():
            return ()
        return msgspec.json.decode(self._path.read_bytes(), type=tuple[Token, ...])

    def create(
        self,
        *,
        token_id: str,
        name: str,
        tenant: str,
        scopes: Iterable[Scope],
        now: Micros,
        expires_at: Micros,
    ) -> str:
        """Make a token, and tell it: nobody can tell it again."""
        secret = "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_LENGTH))
        text = TOKEN_PREFIX + secret + checksum(secret)
        token = Token(
            id=token_id,
            name=name,
            tenant=tenant,
            scopes=tuple(scopes),
            created_at=now,
            expires_at=expires_at,
            sha256=_digest(text),
        )
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._save((*self.tokens(), token))
        return text

    def caller_of(self, token: str, now: Micros) -> Caller | None:
        """Who bears this token, if it is good at that instant."""
        digest = _digest(token)
        found = next((known for known in self.tokens() if known.sha256 == digest), None)
        if found is None or found.revoked_at is not None or not found.created_at <= now < found.expires_at:
            return None
        return Caller(token_id=found.id, tenant=found.tenant, name=found.name, scopes=frozenset(found.scopes))

    def _save(self, tokens: tuple[Token, ...]) -> None:
        fresh = self._path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(tokens))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)


def checksum(secret: str) -> str:
    """Six characters that tell a token that was cut or mistyped from one that is not known."""
    number, text = zlib.crc32(secret.encode()), ""
    for _ in range(_CHECK_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        text = _ALPHABET[digit] + text
    return text


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
