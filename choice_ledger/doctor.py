"""The doctor: everything that has to be so for a ledger to be trusted, and what to do where it is not."""

import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

from choice_ledger.content_store import ContentDamaged, ContentMissing
from choice_ledger.fault_codes import failure_of
from choice_ledger.ledger_at_hand import LedgerAtHand, records_between
from choice_ledger.settings import SECRETS, Settings, environment_name
from choice_ledger.token_file import Token
from events.instants import DAY, Micros

DISTRIBUTION: Final = "choice-ledger"
PACKAGES: Final = ("events", "ledger", "projections", "consumers", "choice_ledger")
"""Our top-level packages. Two of them bear names that other distributions bear too."""

SQLITE_VERSION_MIN: Final = (3, 51, 3)
"""Older ones can corrupt a write-ahead log that two connections write to."""

CLOCK_OFFSET_MS_MAX: Final = 2_000
"""``architecture.md``: a writer that is further off the brokers' time refuses to write."""

TOKEN_ENDS_WITHIN: Final = 14 * DAY
"""How long before its end a token that has no successor is worth a warning."""

State: TypeAlias = Literal["ok", "warning", "fault"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one check found. A fault has to be mended; a warning has to be known."""

    check: str
    state: State
    message: str


def check_packages(distributions: Mapping[str, Iterable[str]] | None = None) -> Iterator[Finding]:
    """Whether another distribution brings a package of one of our names."""
    found = packages_distributions() if distributions is None else distributions
    for package in PACKAGES:
        others = sorted({name for name in found.get(package, ()) if name != DISTRIBUTION})
        if others:
            remedy = f"uninstall it, or give {DISTRIBUTION} an environment of its own"
            message = f"`{package}` is also the package of {', '.join(others)}; {remedy}"
            yield Finding(check="packages", state="fault", message=message)
            return
    yield Finding(check="packages", state="ok", message="no other distribution has packages of our names")


def check_sqlite(version: str) -> Finding:
    """Whether the SQLite that apsw brings is new enough."""
    parts = tuple(int(part) for part in version.split(".")[:3])
    if parts >= SQLITE_VERSION_MIN:
        return Finding(check="sqlite", state="ok", message=f"SQLite {version}")
    wanted = ".".join(map(str, SQLITE_VERSION_MIN))
    return Finding(
        check="sqlite", state="fault", message=f"SQLite {version}; install an apsw with {wanted} or later"
    )


def check_environment(environment: Mapping[str, str], known: Iterable[str] = ()) -> Iterator[Finding]:
    """Variables that look like settings and are none: most are misspelt."""
    names = {environment_name(name) for name in Settings.__struct_fields__} | set(known)
    names |= {f"{environment_name(name)}_FILE" for name in SECRETS}
    strange = sorted(name for name in environment if name.startswith("CHOICE_LEDGER_") and name not in names)
    if strange:
        message = f"{', '.join(strange)}: no setting has this name; `config show --origin` lists them"
        yield Finding(check="environment", state="warning", message=message)


def check_modes(home: Path) -> Finding:
    """Whether nobody but the owner can read the ledger's files."""
    open_to_others = [
        path.name
        for path in (home, *home.iterdir())
        if not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO)
    ]
    if open_to_others:
        message = f"others may use {', '.join(sorted(open_to_others))}; chmod -R go= {home}"
        return Finding(check="file modes", state="warning", message=message)
    return Finding(check="file modes", state="ok", message=f"{home} is its owner's alone")


def check_tokens(tokens: Iterable[Token], now: Micros) -> Finding:
    """Whether the tokens go on being good. Reading them first tells whether a service can look them up."""
    held = list(tokens)
    active = [token for token in held if token.state(now) == "active"]
    followed = {token.replaces for token in held}
    ending = [t.id for t in active if t.id not in followed and t.expires_at - now <= TOKEN_ENDS_WITHIN]
    if ending:
        message = f"{', '.join(ending)} end within {TOKEN_ENDS_WITHIN // DAY} days; see `token rotate`"
        return Finding(check="tokens", state="warning", message=message)
    return Finding(check="tokens", state="ok", message=f"{len(active)} of {len(held)} tokens are active")


def check_services(services: Sized) -> Finding:
    """Reading them first tells whether a running service knows them."""
    return Finding(check="services", state="ok", message=f"{len(services)} services are the tenant's own")


def check_lag(ledger: LedgerAtHand) -> Finding:
    """How far the state is behind the log. It is caught up by whatever command comes next."""
    behind = records_between(ledger.folding.position, ledger.source.end())
    state: State = "ok" if behind == 0 else "warning"
    return Finding(check="lag", state=state, message=f"the state is {behind} records behind the log")


def check_quarantine(ledger: LedgerAtHand) -> Finding:
    """Whether every record can be read."""
    entries = ledger.store.open_quarantine()
    if not entries:
        return Finding(check="quarantine", state="ok", message="every record can be read")
    places = len({entry.place for entry in entries})
    message = f"{places} records cannot be read, and whom they concern is denied; see `quarantine list`"
    return Finding(check="quarantine", state="fault", message=message)


def check_texts(ledger: LedgerAtHand) -> Finding:
    """Whether every text that a policy names is stored, whole."""
    named = {
        digest
        for policies in ledger.catalogue.tenants.values()
        for versions in policies.standing.values()
        for version in versions
        for digest in version.event.wording.values()
    }
    faults = [fault for digest in sorted(named) if (fault := _text_fault(ledger, digest))]
    if faults:
        message = f"{'; '.join(faults[:3])} ({len(faults)} of {len(named)}); publish the policy file again"
        return Finding(check="texts", state="warning", message=message)
    return Finding(check="texts", state="ok", message=f"{len(named)} texts are stored")


def check_clock(offset_ms: int) -> Finding:
    """Whether this machine's clock agrees with the brokers'."""
    if abs(offset_ms) <= CLOCK_OFFSET_MS_MAX:
        return Finding(check="clock", state="ok", message=f"{offset_ms} ms off the brokers' clock")
    message = f"{offset_ms} ms off the brokers' clock, so that nothing can be written; set the clock (NTP)"
    return Finding(check="clock", state="fault", message=message)


def check_topics(deviations: Iterable[str]) -> Iterator[Finding]:
    """Whether the topics are as they must be."""
    found = list(deviations)
    for deviation in found:
        yield Finding(check="topics", state="fault", message=deviation)
    if not found:
        yield Finding(check="topics", state="ok", message="the topics are as they must be")


def attempted(check: str, look: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """What a check finds, or, where it cannot even look, the fault that keeps it from looking."""
    try:
        return list(look())
    except Exception as fault:  # noqa: BLE001 - whatever is wrong is what the doctor is asked for
        return [Finding(check=check, state="fault", message=failure_of(fault).message)]


def _text_fault(ledger: LedgerAtHand, digest: str) -> str | None:
    try:
        ledger.content.get(digest)
    except (ContentMissing, ContentDamaged) as fault:
        return str(fault)
    return None
