"""Texts by their digest: what a notice's wording said, stored once and checked on every reading.

A text is a file named by the SHA-256 of its bytes, in a directory named by the first two digits. A file
appears whole or not at all: it is written beside its place, flushed, renamed, and the directory flushed.
"""

import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import Final

CONTENT_BYTES_MAX: Final = 1024 * 1024
"""Bytes of one stored text."""

_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class ContentRefused(ValueError):
    """A text that is not stored: it is too long. Store a shorter one."""


class ContentMissing(LookupError):
    """No text of this digest is here. Publish the policy that names it again, or copy the directory back."""


class ContentDamaged(Exception):
    """The bytes in the place of a digest are not those that it names. Restore the file from a backup."""


class ContentStore:
    """Texts in a directory, by SHA-256. Several processes may write the same text at once."""

    def __init__(self, directory: Path) -> None:
        """Keep texts under ``directory``, which is made when the first text is put."""
        self.directory = directory

    def put(self, content: bytes) -> str:
        """Store a text durably; give its digest. A text that is there, whole, stays as it is."""
        if len(content) > CONTENT_BYTES_MAX:
            raise ContentRefused(f"the text has more than {CONTENT_BYTES_MAX} bytes")
        digest = hashlib.sha256(content).hexdigest()
        place = self._place(digest)
        if not self._holds(digest):
            place.parent.mkdir(parents=True, exist_ok=True)
            _write_durably(place, content)
            _flush_directory(self.directory)
        return digest

    def hand_in(self, tenant: str, content: bytes) -> str:
        """Store a text durably for a tenant, who may from then on name it by the digest that this gives.

        A text is kept once, whoever hands it in. Who knows a digest alone may be somebody from whom the text
        is kept, so each tenant's own are marked.
        """
        digest = self.put(content)
        mark = self._mark(tenant, digest)
        if not mark.exists():
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()
            for directory in (mark.parent, mark.parent.parent, self.directory):
                _flush_directory(directory)
        return digest

    def handed_in(self, tenant: str, digest: str) -> bool:
        """Whether that tenant has handed in the text of a digest."""
        return _SHA256.fullmatch(digest) is not None and self._mark(tenant, digest).exists()

    def get(self, digest: str) -> bytes:
        """The text of a digest. Raises ContentMissing or ContentDamaged."""
        if not _SHA256.fullmatch(digest):
            raise ContentMissing("this is no SHA-256 digest in 64 lower-case hexadecimal digits")
        try:
            with self._place(digest).open("rb") as file:
                content = file.read(CONTENT_BYTES_MAX + 1)
        except FileNotFoundError:
            raise ContentMissing(f"no text with the digest {digest} is stored here") from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise ContentDamaged(f"the stored text {digest} has been changed")
        return content

    def _holds(self, digest: str) -> bool:
        try:
            self.get(digest)
        except (ContentMissing, ContentDamaged):
            return False
        return True

    def _place(self, digest: str) -> Path:
        return self.directory / digest[:2] / digest

    def _mark(self, tenant: str, digest: str) -> Path:
        return self.directory / "of" / tenant / digest


def _write_durably(place: Path, content: bytes) -> None:
    """Put the whole content in its place, so that no reader and no crash ever sees a part of it."""
    descriptor, name = tempfile.mkstemp(dir=place.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(place)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _flush_directory(place.parent)


def _flush_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
