"""Texts by digest: whole or not there, and checked on every reading."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from choice_ledger.content_store import (
    CONTENT_BYTES_MAX,
    ContentDamaged,
    ContentMissing,
    ContentRefused,
    ContentStore,
)

TEXT = "Privacy notice – what we use, and for what.\n".encode()
DIGEST = hashlib.sha256(TEXT).hexdigest()
WRITERS = 8


@pytest.fixture
def store(tmp_path: Path) -> ContentStore:
    """A store in a directory that is not there yet."""
    return ContentStore(tmp_path / "content")


def files_of(store: ContentStore) -> list[Path]:
    """Every file in the store's directory, left-overs included."""
    return sorted(path for path in store.directory.rglob("*") if path.is_file())


def test_a_text_is_read_back_by_its_digest(store: ContentStore) -> None:
    """What was put is read back, byte by byte, under the SHA-256 of its bytes, by another store too."""
    assert store.put(TEXT) == DIGEST
    assert store.get(DIGEST) == TEXT
    assert ContentStore(store.directory).get(DIGEST) == TEXT


def test_a_text_is_stored_once(store: ContentStore) -> None:
    """Putting a text again stores nothing more, and leaves nothing behind."""
    store.put(TEXT)
    before = [(path, path.stat().st_mtime_ns) for path in files_of(store)]
    assert store.put(TEXT) == DIGEST
    assert [(path, path.stat().st_mtime_ns) for path in files_of(store)] == before
    assert len(before) == 1


def test_a_text_is_a_tenants_own_once_they_handed_it_in(store: ContentStore) -> None:
    """Two tenants hand in one text: it is kept once, and each is known for it, nobody else."""
    assert store.hand_in("acme", TEXT) == DIGEST
    assert [store.handed_in(tenant, DIGEST) for tenant in ("acme", "globex")] == [True, False]
    assert store.hand_in("globex", TEXT) == store.hand_in("acme", TEXT) == DIGEST
    assert [store.handed_in(tenant, DIGEST) for tenant in ("acme", "globex", "of")] == [True, True, False]
    assert store.get(DIGEST) == TEXT
    assert not store.handed_in("acme", hashlib.sha256(b"another").hexdigest())
    assert not store.handed_in("acme", "../globex/" + DIGEST)
    assert sum(path.stat().st_size > 0 for path in files_of(store)) == 1


def test_the_longest_text_is_stored(store: ContentStore) -> None:
    """A text of exactly the limit is stored and read back whole."""
    longest = b"x" * CONTENT_BYTES_MAX
    assert store.get(store.put(longest)) == longest


def test_a_longer_text_is_refused(store: ContentStore) -> None:
    """A text one byte past the limit is refused, and nothing of it is stored."""
    with pytest.raises(ContentRefused, match=str(CONTENT_BYTES_MAX)):
        store.put(b"x" * (CONTENT_BYTES_MAX + 1))
    assert files_of(store) == []


def test_an_empty_text_is_a_text(store: ContentStore) -> None:
    """The empty text has a digest of its own, and is stored like any other."""
    assert store.get(store.put(b"")) == b""


def test_a_text_that_is_not_there_is_missing(store: ContentStore) -> None:
    """A digest that was never put is missing, and the message names it."""
    with pytest.raises(ContentMissing, match=DIGEST):
        store.get(DIGEST)


@pytest.mark.parametrize(
    "digest", ["", "../../etc/passwd", DIGEST.upper(), DIGEST[:-1], f"{DIGEST}\n", "/" * 64]
)
def test_only_a_digest_reaches_the_disk(store: ContentStore, digest: str) -> None:
    """What is no digest is missing, whatever path it would spell."""
    store.put(TEXT)
    with pytest.raises(ContentMissing, match="no SHA-256"):
        store.get(digest)


@pytest.mark.parametrize("damage", [b"", TEXT[:-1], TEXT + b"x", b"X" + TEXT[1:]])
def test_a_changed_text_is_never_handed_out(store: ContentStore, damage: bytes) -> None:
    """A text that was cut, lengthened or changed on the disk is told to be damaged."""
    store.put(TEXT)
    (file,) = files_of(store)
    file.write_bytes(damage)
    with pytest.raises(ContentDamaged, match=DIGEST):
        store.get(DIGEST)


def test_putting_a_damaged_text_again_mends_it(store: ContentStore) -> None:
    """A text that is put again after damage is whole again."""
    store.put(TEXT)
    (file,) = files_of(store)
    file.write_bytes(b"")
    store.put(TEXT)
    assert store.get(DIGEST) == TEXT


def test_many_may_put_the_same_text_at_once(store: ContentStore) -> None:
    """Writers of one text do not disturb each other: one whole file remains."""
    with ThreadPoolExecutor(WRITERS) as pool:
        digests = set(pool.map(store.put, [TEXT] * WRITERS * 4))
    assert digests == {DIGEST}
    assert len(files_of(store)) == 1
    assert store.get(DIGEST) == TEXT


def test_a_failed_write_leaves_nothing(store: ContentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk refuses to flush, the fault is told, and neither the text nor a part of it remains."""

    def refuse(_descriptor: int) -> None:
        """Fail as a full disk does."""
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space left"):
        store.put(TEXT)
    monkeypatch.undo()
    assert files_of(store) == []
    with pytest.raises(ContentMissing):
        store.get(DIGEST)
