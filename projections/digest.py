"""The state digest: one number that two projections have in common if they hold the same state.

Source: ``architecture.md``: "it is taken over individuals sorted by key bytes, facts sorted as in
`semantics.md`, without positions". It is the same after any batch size, restart point, partition count,
machine, log and store.
"""

import hashlib
from collections.abc import Iterator
from typing import Final

import msgspec

from events.catalogue import Catalogue, TenantPolicies
from events.codec import encode
from events.union import Recorded
from projections.batch import fold_catalogue
from projections.ports import StateStore

LENGTH_BYTES: Final = 8
"""Bytes of the big-endian length before each part, so that no two states run together."""


def state_digest(store: StateStore) -> str:
    """The SHA-256 of a store's state, in 64 lower-case hexadecimal digits. Memory stays flat.

    It holds every individual's key and canonical facts, then every tenant's standing versions, void
    amendments and framework statuses; no position, offset or generation, and nothing of the quarantine.
    """
    digest = hashlib.sha256()
    with store.view() as reads:
        for key, facts in reads.scan():
            digest.update(_part(key.encode()) + _part(facts))
        for part in _policy_parts(fold_catalogue(reads.policies())):
            digest.update(_part(part))
    return digest.hexdigest()


def _part(content: bytes) -> bytes:
    return len(content).to_bytes(LENGTH_BYTES, "big") + content


def _policy_parts(catalogue: Catalogue) -> Iterator[bytes]:
    for tenant, policies in sorted(catalogue.tenants.items()):
        claims = list(_claims(policies))
        if claims:  # A tenant that has published nothing is like one that was never named.
            yield tenant.encode()
            yield from claims


def _claims(policies: TenantPolicies) -> Iterator[bytes]:
    """What the tenant has published, void or not, each in its canonical bytes."""
    for _, versions in sorted(policies.standing.items()):
        for version in versions:
            yield encode(Recorded(version.event, version.recorded_at))
    for void in policies.void:
        yield msgspec.msgpack.encode(("void", void))
    for status in policies.frameworks:
        yield msgspec.msgpack.encode(("framework", status))
