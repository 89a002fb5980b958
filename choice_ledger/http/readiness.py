"""Whether the service can do its work: one check for each thing that it stands on."""

import asyncio
import os
from collections.abc import Callable
from typing import Final

import msgspec

from choice_ledger.fault_codes import failure_of
from choice_ledger.http.problems import Problem
from choice_ledger.http.service import Service

CHECK_WAIT_S: Final = 2.0
"""How long a check may take; a longer one has failed."""

FREE_BYTES_MIN: Final = 64 * 1024 * 1024
"""Bytes that must be free where the ledger's files are."""


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What one check found. ``message`` is for operators, and holds no personal data."""

    check: str
    ok: bool
    message: str


async def checked(service: Service) -> list[Checked]:
    """Every check, in the order in which an operator would look."""
    state = service.freshness.state()
    following = state.fault or state.trouble
    stopping = service.stopping()
    found = [
        _found("running", None if not stopping else "the service stops"),
        _found("following", None if following is None else following.message),
        _found("fresh", None if state.is_fresh else f"the state is {_age(state.age_ms)} old"),
        _found("tokens", service.credentials.fault()),
        _found("services", service.services.fault()),
    ]
    log = _looked("log", service, lambda: _log_fault(service))
    disk = _looked("disk", service, lambda: _disk_fault(service.ledger.settings.home))
    return [*found, *await asyncio.gather(log, disk)]


async def _looked(check: str, service: Service, look: Callable[[], str | None]) -> Checked:
    try:
        async with asyncio.timeout(CHECK_WAIT_S):
            return _found(check, await service.read(look))
    except TimeoutError:
        return _found(check, f"did not answer within {CHECK_WAIT_S:g} s")
    except Problem as problem:
        return _found(check, problem.row.title)


def _found(check: str, fault: str | None) -> Checked:
    return Checked(check=check, ok=fault is None, message=fault or "as it must be")


def _age(age_ms: float) -> str:
    return "of unknown age, or never" if age_ms == float("inf") else f"{age_ms / 1_000:.1f} s"


def _log_fault(service: Service) -> str | None:
    try:
        service.ledger.source.end()
    except Exception as fault:  # noqa: BLE001 - whatever keeps it from answering is what is asked for
        return failure_of(fault).message
    return None


def _disk_fault(home: str) -> str | None:
    try:
        state = os.statvfs(home)
    except OSError as fault:
        return f"the home directory cannot be used: {fault.strerror}"
    if state.f_flag & os.ST_RDONLY or not os.access(home, os.W_OK):
        return "the home directory cannot be written to"
    if state.f_bavail * state.f_frsize < FREE_BYTES_MIN:
        return f"less than {FREE_BYTES_MIN // 1024 // 1024} MiB are free in the home directory"
    return None
