"""Tokens as they are kept and looked up: digests alone, refused by every doubt."""

import itertools
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from choice_ledger.access import SCOPES, TOKENS_AGE_MS_MAX, Caller
from choice_ledger.owner_file import LOOK_INTERVAL_MS_MAX, FileFault
from choice_ledger.token_file import (
    CALLERS_KEPT_MAX,
    TOKENS_MAX,
    Token,
    TokenFile,
    TokenRefused,
    TokensAtHand,
)
from choice_ledger.token_text import digest_of, token_text
from events.envelope import INDIVIDUAL_BYTES_MAX, InvalidEvent
from events.instants import DAY, HOUR, INSTANT_MAX

NOW = 1_790_000_000_000_000
IDS = (f"00000000-0000-7000-8000-{number:012x}" for number in itertools.count())


class Kept:
    """A token file with its path, a clock for those that follow it, and a short way to make tokens."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = TokenFile(path)
        self.clock_s = 0.0

    def make(self, **fields: Any) -> tuple[str, str]:
        """A token's id and text."""
        known: dict[str, Any] = {
            "token_id": next(IDS),
            "name": "portal",
            "tenant": "main",
            "scopes": ("record", "check"),
            "now": NOW,
            "expires_at": NOW + 90 * DAY,
        }
        text = self.file.create(**{**known, **fields})
        return self.file.tokens()[-1].id, text

    def at_hand(self) -> TokensAtHand:
        return TokensAtHand(self.file, lambda: self.clock_s)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    """A token file that is not there yet."""
    before = os.umask(0o077)
    yield Kept(tmp_path / "tokens.json")
    os.umask(before)


def test_a_token_tells_who_calls(kept: Kept) -> None:
    """Tenant, name, scopes and the token's id follow from the token alone."""
    token_id, text = kept.make(tenant="acme", name="hr-1", scopes=("audit",))
    caller = kept.at_hand().caller_of(text, NOW)
    assert caller == Caller(token_id=token_id, tenant="acme", name="hr-1", scopes=frozenset({"audit"}))


def test_no_two_tokens_are_the_same(kept: Kept) -> None:
    """Each token is made of randomness of its own."""
    texts = {kept.make()[1] for _ in range(50)}
    assert len(texts) == 50
    assert len({text[4:12] for text in texts}) == 50


def test_the_file_holds_a_digest_and_never_the_token(kept: Kept) -> None:
    """Whoever reads the file, or its copy in a backup, cannot call with what they find."""
    _, text = kept.make()
    content = kept.path.read_text()
    assert digest_of(text) in content
    assert all(text[at : at + 8] not in content for at in range(4, len(text) - 8))


def test_neither_faults_nor_representations_show_a_token(kept: Kept) -> None:
    """What is printed of what is kept has no token, and a refusal repeats no name."""
    _, text = kept.make()
    shown = repr(kept.file.tokens()) + repr(kept.at_hand().caller_of(text, NOW))
    assert text not in shown
    assert text[4:47] not in shown
    with pytest.raises(InvalidEvent) as refusal:
        kept.make(name="ana@example.org")
    assert "ana" not in str(refusal.value)


def test_a_token_is_good_until_the_instant_at_which_it_ends(kept: Kept) -> None:
    """A microsecond before its end it is good, and at its end it is not, though it was a moment ago."""
    _, text = kept.make(expires_at=NOW + DAY)
    tokens = kept.at_hand()
    assert tokens.caller_of(text, NOW + DAY - 1) is not None
    assert tokens.caller_of(text, NOW + DAY) is None
    assert tokens.caller_of(text, NOW + DAY - 1) is not None


def test_unknown_and_garbled_tokens_are_refused(kept: Kept) -> None:
    """A token of nobody, and a text that is none, are refused; so is the token's own digest."""
    _, text = kept.make()
    tokens = kept.at_hand()
    others = [
        token_text("0" * 43),
        text[:-1],
        text + "0",
        text.upper(),
        digest_of(text),
        "",
        "é",
        "\udc80" * 53,
    ]
    assert [tokens.caller_of(other, NOW) for other in others] == [None] * len(others)


def test_a_mistyped_token_is_refused_before_any_look_up(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the checksum tells from a token costs neither a digest nor a look at the file."""
    _, text = kept.make()
    tokens = kept.at_hand()
    looked: list[str] = []

    def digests(given: str) -> str:
        looked.append(given)
        return ""

    monkeypatch.setattr("choice_ledger.token_file.digest_of", digests)
    assert tokens.caller_of(text[:-1] + ("0" if text[-1] != "0" else "1"), NOW) is None
    assert looked == []
    tokens.caller_of(text, NOW)
    assert set(looked) == {text}


def test_a_token_that_was_just_made_is_good_at_once(kept: Kept) -> None:
    """Nobody waits for a look at the file: what is not known is looked for."""
    tokens = kept.at_hand()
    _, text = kept.make()
    assert tokens.caller_of(text, NOW) is not None


def test_a_revoked_token_is_refused_within_the_bound(kept: Kept) -> None:
    """A token that was good and kept at hand is refused once the file was looked at, well within a second."""
    token_id, text = kept.make()
    tokens = kept.at_hand()
    assert tokens.caller_of(text, NOW) is not None
    kept.file.revoke(token_id, NOW)
    kept.clock_s += LOOK_INTERVAL_MS_MAX / 1_000
    assert tokens.caller_of(text, NOW) is None
    assert LOOK_INTERVAL_MS_MAX * 2 <= TOKENS_AGE_MS_MAX


def test_revoking_twice_changes_nothing(kept: Kept) -> None:
    """The first revocation stands, with its instant, and the file is not written again."""
    token_id, _ = kept.make()
    first = kept.file.revoke(token_id, NOW + 5)
    content = kept.path.stat()
    assert kept.file.revoke(token_id, NOW + 9) == first
    assert first.revoked_at == NOW + 5
    assert kept.path.stat().st_ino == content.st_ino


def test_only_a_token_that_is_there_can_be_revoked_or_rotated(kept: Kept) -> None:
    """An id of nothing is refused, with what to do."""
    kept.make()
    with pytest.raises(TokenRefused, match="token list"):
        kept.file.revoke(next(IDS), NOW)
    with pytest.raises(TokenRefused, match="token list"):
        kept.file.rotate(next(IDS), new_id=next(IDS), now=NOW, overlap=0, expires_at=None)


def test_a_rotated_token_overlaps_with_the_one_it_replaces(kept: Kept) -> None:
    """The new one is for the same name, tenant and scopes, for as long; the old one ends with the overlap."""
    token_id, old = kept.make(tenant="acme", name="hr", scopes=("officer",), expires_at=NOW + 30 * DAY)
    later = NOW + 10 * DAY
    new = kept.file.rotate(token_id, new_id=next(IDS), now=later, overlap=2 * HOUR, expires_at=None)
    tokens = kept.at_hand()
    fresh = kept.file.tokens()[-1]
    assert (fresh.replaces, fresh.expires_at) == (token_id, later + 30 * DAY)
    before, after = later + 2 * HOUR - 1, later + 2 * HOUR
    caller = tokens.caller_of(new, before)
    assert caller is not None
    assert (caller.tenant, caller.name, caller.scopes) == ("acme", "hr", frozenset({"officer"}))
    assert tokens.caller_of(old, before) is not None
    assert tokens.caller_of(old, after) is None
    assert tokens.caller_of(new, after) is not None


def test_an_overlap_never_makes_a_token_last_longer(kept: Kept) -> None:
    """A token that would have ended within the overlap ends when it would have."""
    token_id, old = kept.make(expires_at=NOW + HOUR)
    kept.file.rotate(token_id, new_id=next(IDS), now=NOW, overlap=DAY, expires_at=NOW + 9 * DAY)
    assert kept.at_hand().caller_of(old, NOW + HOUR) is None
    assert kept.file.tokens()[-1].expires_at == NOW + 9 * DAY


def test_without_overlap_the_old_token_ends_at_once(kept: Kept) -> None:
    """A token that leaked is rotated without an overlap."""
    token_id, old = kept.make()
    new = kept.file.rotate(token_id, new_id=next(IDS), now=NOW, overlap=0, expires_at=None)
    assert kept.at_hand().caller_of(old, NOW) is None
    assert kept.at_hand().caller_of(new, NOW) is not None


@pytest.mark.parametrize("ended", ["revoked", "expired"])
def test_a_token_that_ended_is_not_rotated(kept: Kept, ended: str) -> None:
    """What was revoked or has expired does not come back by being rotated."""
    token_id, _ = kept.make(expires_at=NOW + DAY)
    if ended == "revoked":
        kept.file.revoke(token_id, NOW)
    with pytest.raises(TokenRefused, match="active"):
        kept.file.rotate(
            token_id,
            new_id=next(IDS),
            now=NOW + (DAY if ended == "expired" else 0),
            overlap=0,
            expires_at=None,
        )
    assert len(kept.file.tokens()) == 1


WRONG = {
    "an address as its name": {"name": "ana@example.org"},
    "a name with a space": {"name": "ana b"},
    "a name with a slash": {"name": "a/b"},
    "no name": {"name": ""},
    "a name that is too long": {"name": "a" * (INDIVIDUAL_BYTES_MAX + 1)},
    "the ledger's own tenant": {"tenant": "ledger"},
    "a tenant in capitals": {"tenant": "Main"},
    "no scope": {"scopes": ()},
    "an id that is none": {"token_id": "7"},
    "an end that no calendar has": {"expires_at": INSTANT_MAX + 1},
}


@pytest.mark.parametrize("fields", WRONG.values(), ids=WRONG)
def test_a_wrong_token_is_not_made(kept: Kept, fields: dict[str, Any]) -> None:
    """Nothing is kept of a token that cannot be; its name obeys the rules of the events that will bear it."""
    with pytest.raises(InvalidEvent):
        kept.make(**fields)
    assert not kept.path.exists()


def test_the_longest_name_is_taken(kept: Kept) -> None:
    """A name may be as long as an individual's id."""
    _, text = kept.make(name="a" * INDIVIDUAL_BYTES_MAX)
    assert kept.at_hand().caller_of(text, NOW) is not None


def test_a_scope_that_is_named_twice_is_one(kept: Kept) -> None:
    """Naming a scope again does no harm."""
    kept.make(scopes=("audit", "audit"))
    assert kept.file.tokens()[0].scopes == ("audit",)


EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a field of a newer version": lambda token: token.update(bound_to="10.0.0.0/8"),
    "a scope of a newer version": lambda token: token.update(scopes=["check", "erase"]),
    "no scope": lambda token: token.update(scopes=[]),
    "the ledger's own tenant": lambda token: token.update(tenant="ledger"),
    "no end": lambda token: token.pop("expires_at"),
    "an end that is a text": lambda token: token.update(expires_at="never"),
    "a digest that is none": lambda token: token.update(sha256="x"),
    "an address as its name": lambda token: token.update(name="ana@example.org"),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_a_file_with_one_token_that_is_not_understood_denies_all(
    kept: Kept, edit: Callable[[dict[str, Any]], object]
) -> None:
    """A limit that this version does not know cannot be held, so no token of such a file is good."""
    _, good = kept.make()
    kept.make(name="second")
    content = json.loads(kept.path.read_bytes())
    edit(content["tokens"][1])
    kept.path.write_text(json.dumps(content))
    tokens = kept.at_hand()
    assert tokens.caller_of(good, NOW) is None
    assert "tokens.json" in str(tokens.fault())
    with pytest.raises(FileFault):
        kept.make()


@pytest.mark.parametrize("what", ["id", "sha256"])
def test_a_file_in_which_two_tokens_are_one_denies_all(kept: Kept, what: str) -> None:
    """Of two tokens with one id or one digest nobody knows which is meant."""
    _, good = kept.make()
    kept.make()
    content = json.loads(kept.path.read_bytes())
    content["tokens"][1][what] = content["tokens"][0][what]
    kept.path.write_text(json.dumps(content))
    assert kept.at_hand().caller_of(good, NOW) is None


def test_a_newer_format_denies_all(kept: Kept) -> None:
    """The file says in which format it is."""
    _, good = kept.make()
    content = json.loads(kept.path.read_bytes())
    kept.path.write_text(json.dumps(content | {"format": 2}))
    assert kept.at_hand().caller_of(good, NOW) is None


def test_a_file_that_is_damaged_while_it_is_used_denies_all_until_it_is_mended(kept: Kept) -> None:
    """Tokens that were at hand are refused within the bound, and are good again once the file is."""
    _, text = kept.make()
    tokens = kept.at_hand()
    assert tokens.caller_of(text, NOW) is not None
    content = kept.path.read_bytes()
    kept.path.write_bytes(content[:-20])
    kept.clock_s += LOOK_INTERVAL_MS_MAX / 1_000
    assert tokens.caller_of(text, NOW) is None
    assert tokens.fault() is not None
    kept.path.write_bytes(content)
    kept.clock_s += LOOK_INTERVAL_MS_MAX / 1_000
    assert tokens.caller_of(text, NOW) is not None
    assert tokens.fault() is None


def many(count: int) -> bytes:
    """A file with so many tokens, written at once."""
    tokens = [
        Token(
            id=next(IDS),
            name=f"service-{number}",
            tenant="main",
            scopes=SCOPES,
            created_at=NOW,
            expires_at=NOW + DAY,
            sha256=digest_of(f"{number}"),
        )
        for number in range(count)
    ]
    return msgspec.json.encode({"format": 1, "tokens": tokens})


def test_there_may_be_so_many_tokens_and_no_more(kept: Kept) -> None:
    """The last token that fits is good; one more is refused, with what makes room; pruning makes it."""
    kept.path.write_bytes(many(TOKENS_MAX - 1))
    _, last = kept.make()
    tokens = kept.at_hand()
    assert tokens.caller_of(last, NOW) is not None
    with pytest.raises(TokenRefused, match="prune"):
        kept.make()
    with pytest.raises(TokenRefused, match="prune"):
        kept.file.rotate(kept.file.tokens()[0].id, new_id=next(IDS), now=NOW, overlap=0, expires_at=None)
    assert len(kept.file.tokens()) == TOKENS_MAX
    assert kept.file.prune(NOW + DAY + 1) == TOKENS_MAX - 1
    kept.make()
    assert tokens.caller_of(last, NOW) is not None


def test_pruning_forgets_what_ended_before_and_nothing_else(kept: Kept) -> None:
    """A token counts as ended when it was revoked or expired, whichever was first."""
    ids = [kept.make(expires_at=NOW + days * DAY)[0] for days in (1, 2, 3)]
    kept.file.revoke(ids[2], NOW + HOUR)
    assert kept.file.prune(NOW + HOUR) == 0
    assert kept.file.prune(NOW + DAY) == 1
    assert [token.id for token in kept.file.tokens()] == ids[:2]
    assert kept.file.prune(NOW + DAY + 1) == 1


def test_what_is_kept_at_hand_stays_within_its_bound(kept: Kept) -> None:
    """However many tokens call, so many are known by their text, and all of them are good."""
    kept.path.write_bytes(many(0))
    made = [f"clt_{n:043d}" for n in range(CALLERS_KEPT_MAX + 1)]
    texts = [token_text(text[4:]) for text in made]
    tokens = [
        Token(
            id=next(IDS),
            name="s",
            tenant="main",
            scopes=("check",),
            created_at=NOW,
            expires_at=NOW + DAY,
            sha256=digest_of(text),
        )
        for text in texts
    ]
    kept.path.write_bytes(msgspec.json.encode({"format": 1, "tokens": tokens}))
    at_hand = kept.at_hand()
    assert all(at_hand.caller_of(text, NOW) is not None for text in texts[:CALLERS_KEPT_MAX])
    assert len(at_hand._followed.current().recent) == CALLERS_KEPT_MAX
    assert at_hand.caller_of(texts[CALLERS_KEPT_MAX], NOW) is not None
    assert len(at_hand._followed.current().recent) == 1
    assert at_hand.caller_of(texts[0], NOW) is not None


def test_refused_tokens_are_not_kept_at_hand(kept: Kept) -> None:
    """Guessing fills no memory."""
    kept.make()
    at_hand = kept.at_hand()
    for number in range(100):
        assert at_hand.caller_of(token_text(f"{number:043d}"), NOW) is None
    assert at_hand._followed.current().recent == {}


def test_looking_a_token_up_is_quick(kept: Kept) -> None:
    """A token that was seen before costs at most three microseconds, the best of many tries."""
    _, text = kept.make()
    at_hand = TokensAtHand(kept.file, time.monotonic)
    tries = []
    for _ in range(50):
        begun = time.perf_counter_ns()
        for _ in range(200):
            at_hand.caller_of(text, NOW)
        tries.append((time.perf_counter_ns() - begun) / 200)
    assert min(tries) <= 3_000


def test_reading_the_largest_file_again_is_bounded(kept: Kept) -> None:
    """A change to a full file stops the service for a part of the bound only."""
    kept.path.write_bytes(many(TOKENS_MAX))
    begun = time.perf_counter()
    assert kept.at_hand().fault() is None
    assert (time.perf_counter() - begun) * 1_000 <= TOKENS_AGE_MS_MAX / 2
