"""Who may do what: the scopes, and who a call comes from."""

from collections.abc import Sequence
from typing import Final, Literal, Protocol, TypeAlias, get_args

import msgspec

from events.instants import Micros

Scope: TypeAlias = Literal["record", "check", "officer", "publish", "audit", "admin"]
"""What a token is good for. No scope includes another."""

SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
"""Every scope, in the order in which they are told."""


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who a call comes from: all of it follows from the token, nothing from the call.

    ``name`` is the pseudonymous id under which what is recorded names an officer or a service.
    """

    token_id: str
    tenant: str
    name: str
    scopes: frozenset[Scope]

    def may(self, any_of: frozenset[Scope]) -> bool:
        """Whether one of these scopes is the caller's; no scope asked for is open to every caller."""
        return not any_of or not self.scopes.isdisjoint(any_of)


class Credentials(Protocol):
    """Where tokens are looked up.

    1. ``caller_of`` must answer the caller of a token that is whole, known, not expired and not revoked,
       and none for any other, in time that does not depend on how near a wrong one comes.
    2. It must never block on a disk or a network for long: it is asked for every call.
    3. A revocation by another process must hold within ``TOKENS_AGE_MS_MAX``.
    4. Where what is kept cannot be read, every token must be refused, and ``fault`` must say why.
    """

    def caller_of(self, token: str, now: Micros) -> Caller | None:
        """Who bears this token, if it is good at that instant."""
        ...

    def fault(self) -> str | None:
        """Why every token is refused now; none where tokens can be looked up."""
        ...


class ServiceRegistry(Protocol):
    """Where it is looked up which ids are a tenant's own services.

    1. ``is_own`` must be true only of ids that an operator registered for that very tenant, and ``of_tenant``
       must name exactly those.
    2. It must never block on a disk or a network for long, and change within ``TOKENS_AGE_MS_MAX``.
    3. Where what is kept cannot be read, nobody must be a service, and ``fault`` must say why.
    """

    def is_own(self, tenant: str, service_id: str) -> bool:
        """Whether this id is one of the tenant's own services."""
        ...

    def of_tenant(self, tenant: str) -> Sequence[str]:
        """The ids of all of the tenant's own services, in their order."""
        ...

    def fault(self) -> str | None:
        """Why nobody is a service now, though some may be registered; none where they can be looked up."""
        ...


TOKENS_AGE_MS_MAX: Final = 1_000
"""How long a running service may go on with tokens and services that another process has changed since."""
