"""Tokens of one home directory, in one file: what each is good for, and a digest of each; never a token."""

import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from choice_ledger.access import Caller, Scope
from choice_ledger.owner_file import Followed, OwnerFile
from choice_ledger.token_text import SECRET_ALPHABET, SECRET_LENGTH, digest_of, is_whole, token_text
from events.envelope import (
    LEDGER_TENANT,
    InvalidEvent,
    check_individual,
    check_instant,
    check_sha256,
    check_tenant,
    check_uuid,
)
from events.instants import Micros

TOKENS_MAX: Final = 10_000
"""Tokens in one file, those that are over included."""

CALLERS_KEPT_MAX: Final = 1_024
"""Tokens that a running service knows by their text, so that it need not digest each call's."""

TokenState: TypeAlias = Literal["active", "expired", "revoked"]
"""Whether a token is good, and if not, why."""


class Token(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept of a token: who bears it, what for, from when to when, and the SHA-256 of its text.

    ``replaces`` is the id of the token that it was rotated from.
    """

    id: str
    name: str
    tenant: str
    scopes: tuple[Scope, ...]
    created_at: Micros
    expires_at: Micros
    sha256: str
    revoked_at: Micros | None = None
    replaces: str | None = None

    def __post_init__(self) -> None:
        """Hold the rules of the names, whoever wrote them. Raises InvalidEvent."""
        check_uuid("id", self.id)
        check_individual(self.name, "name")
        check_tenant(self.tenant)
        check_sha256("sha256", self.sha256)
        check_instant("expires_at", self.expires_at)
        if self.tenant == LEDGER_TENANT:
            raise InvalidEvent("tenant", "must not be `ledger`: nobody speaks for the ledger itself")
        if not self.scopes or len(set(self.scopes)) != len(self.scopes):
            raise InvalidEvent("scopes", "must be one or more scopes, each once")

    def state(self, now: Micros) -> TokenState:
        """Whether the token is good at an instant."""
        if self.revoked_at is not None:
            return "revoked"
        return "active" if now < self.expires_at else "expired"


class _Tokens(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: Literal[1] = 1
    tokens: tuple[Token, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a file in which two tokens could be taken for one another."""
        for what in ("id", "sha256"):
            if len({getattr(token, what) for token in self.tokens}) != len(self.tokens):
                raise ValueError(f"two tokens have the same {what}")


class TokenRefused(Exception):
    """What was asked of a token that cannot be. The message says what to do."""


class TokenFile:
    """The tokens in a file that is for its owner alone. Safe from many threads and processes.

    Every method may raise FileFault.
    """

    def __init__(self, path: Path) -> None:
        """Use a file, which begins to exist with its first token."""
        self.file = OwnerFile(path, _Tokens, _Tokens())

    def tokens(self) -> tuple[Token, ...]:
        """Every token, in the order in which they were made."""
        return self.file.read().tokens

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
        """Make a token, and tell it: nobody can tell it again. Raises InvalidEvent and TokenRefused."""
        text = _new_text()
        token = Token(
            id=token_id,
            name=name,
            tenant=tenant,
            scopes=tuple(dict.fromkeys(scopes)),
            created_at=now,
            expires_at=expires_at,
            sha256=digest_of(text),
        )
        self.file.change(lambda content: _with(content.tokens, token))
        return text

    def rotate(
        self, token_id: str, *, new_id: str, now: Micros, overlap: Micros, expires_at: Micros | None
    ) -> str:
        """Make a token in the place of another, which ends after the overlap, if not before; and tell it.

        Without ``expires_at`` it is good for as long as the other was made for. Raises TokenRefused.
        """
        text = _new_text()

        def edit(content: _Tokens) -> _Tokens:
            old = _found(content, token_id)
            if old.state(now) != "active":
                raise TokenRefused("only a token that is active can be rotated; create another")
            fresh = msgspec.structs.replace(
                old,
                id=new_id,
                created_at=now,
                expires_at=now + old.expires_at - old.created_at if expires_at is None else expires_at,
                sha256=digest_of(text),
                replaces=old.id,
            )
            ending = msgspec.structs.replace(old, expires_at=min(old.expires_at, now + overlap))
            return _with(_replaced(content, ending), fresh)

        self.file.change(edit)
        return text

    def revoke(self, token_id: str, now: Micros) -> Token:
        """End a token at once; one that is revoked stays so, from when it was. Raises TokenRefused."""
        token = _found(self.file.read(), token_id)
        if token.revoked_at is None:
            self.file.change(lambda content: _revoked(content, token_id, now))
        return _found(self.file.read(), token_id)

    def prune(self, before: Micros) -> int:
        """Forget the tokens that had ended before an instant, and tell how many they were."""
        pruned: list[Token] = []

        def edit(content: _Tokens) -> _Tokens:
            pruned[:] = [token for token in content.tokens if _ended_at(token) < before]
            return _Tokens(tokens=tuple(token for token in content.tokens if _ended_at(token) >= before))

        self.file.change(edit)
        return len(pruned)


class TokensAtHand:
    """The tokens as a running service looks them up: ``choice_ledger.access.Credentials``.

    A token is found by its whole SHA-256, of which nobody can choose how near it comes to another's, so
    that the time of a look-up tells nothing. A text is kept only once it was found good.
    """

    def __init__(self, tokens: TokenFile, clock_s: Callable[[], float]) -> None:
        """Follow a file."""
        self._followed = Followed(tokens.file, _Index, _Index(_Tokens()), clock_s)

    def caller_of(self, token: str, now: Micros) -> Caller | None:
        """Who bears this token, if it is good at that instant."""
        known = self._followed.current().recent.get(token) or self._found(token)
        return known.caller if known is not None and now < known.expires_at else None

    def fault(self) -> str | None:
        """Why every token is refused now."""
        self._followed.current()
        return self._followed.fault

    def _found(self, token: str) -> "_Known | None":
        if not is_whole(token):
            return None
        # A token that was made a moment ago is good at once: what is not known is looked for again.
        return self._followed.current().found(token) or self._followed.look().found(token)


class _Known(NamedTuple):
    caller: Caller
    expires_at: Micros


class _Index:
    """The tokens that are not revoked, by digest, as the file was read; and the latest by their texts."""

    def __init__(self, content: _Tokens) -> None:
        self._by_digest = {token.sha256: token for token in content.tokens if token.revoked_at is None}
        self.recent: dict[str, _Known] = {}

    def found(self, token: str) -> _Known | None:
        kept = self._by_digest.get(digest_of(token))
        if kept is None:
            return None
        if len(self.recent) >= CALLERS_KEPT_MAX:
            self.recent.clear()
        caller = Caller(token_id=kept.id, tenant=kept.tenant, name=kept.name, scopes=frozenset(kept.scopes))
        known = self.recent[token] = _Known(caller, kept.expires_at)
        return known


def _new_text() -> str:
    return token_text("".join(secrets.choice(SECRET_ALPHABET) for _ in range(SECRET_LENGTH)))


def _with(tokens: tuple[Token, ...], token: Token) -> _Tokens:
    if len(tokens) >= TOKENS_MAX:
        raise TokenRefused(f"there are {TOKENS_MAX} tokens; `choice-ledger token prune` forgets ended ones")
    return _Tokens(tokens=(*tokens, token))


def _found(content: _Tokens, token_id: str) -> Token:
    for token in content.tokens:
        if token.id == token_id:
            return token
    raise TokenRefused("no token has this id; `choice-ledger token list` shows them")


def _replaced(content: _Tokens, changed: Token) -> tuple[Token, ...]:
    return tuple(changed if token.id == changed.id else token for token in content.tokens)


def _revoked(content: _Tokens, token_id: str, now: Micros) -> _Tokens:
    token = _found(content, token_id)
    revoked_at = now if token.revoked_at is None else token.revoked_at
    return _Tokens(tokens=_replaced(content, msgspec.structs.replace(token, revoked_at=revoked_at)))


def _ended_at(token: Token) -> Micros:
    return token.expires_at if token.revoked_at is None else min(token.revoked_at, token.expires_at)
