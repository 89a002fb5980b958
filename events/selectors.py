"""Selectors: which purposes a choice, a restriction or a compelled disclosure speaks of.

Source: ``events.md``: "A *selector* is a key, a branch of the tree (`hr` covers `hr` and `hr.*`), or `*` for
all".
"""

from collections.abc import Iterable


def covers(selectors: Iterable[str] | None, key: str) -> bool:
    """Whether any of the selectors covers a purpose key; null covers every key, an empty list none."""
    if selectors is None:
        return True
    return any(
        selector in ("*", key) or (key.startswith(selector) and key[len(selector)] == ".")
        for selector in selectors
    )
