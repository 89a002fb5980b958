"""How deep a body nests, found without looking at every byte in Python."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choice_ledger.http.bodies import BODY_BYTES_MAX, NESTING_MAX, read_json
from choice_ledger.http.problems import Problem

TEXTS = st.text(alphabet='ab[]{}",:\\ \n', max_size=12)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


def levels(document: object) -> int:
    """The depth, by walking through what was read."""
    if isinstance(document, dict):
        return 1 + max((levels(value) for value in document.values()), default=0)
    if isinstance(document, list):
        return 1 + max((levels(value) for value in document), default=0)
    return 0


def wrapped(document: object, times: int) -> object:
    for number in range(times):
        document = [document] if number % 2 else {"a": document}
    return document


def is_read(document: object, raw: bytes) -> bool:
    """Whether a body is read, as it was meant; else it is refused for its depth."""
    if levels(document) > NESTING_MAX:
        with pytest.raises(Problem, match="nested_too_deeply"):
            read_json(raw)
        return False
    return bool(read_json(raw) == document)


@given(DOCUMENTS, st.integers(0, NESTING_MAX + 2), st.booleans())
def test_depth_is_told_as_a_walk_tells_it(inner: object, times: int, ascii_only: bool) -> None:
    """Whatever a document holds, and whatever its texts look like, the walk and the reading agree."""
    document = wrapped(inner, times)
    raw = json.dumps(document, ensure_ascii=ascii_only).encode()
    assert is_read(document, raw) == (levels(document) <= NESTING_MAX)


@pytest.mark.parametrize("levels_of", [NESTING_MAX, NESTING_MAX + 1])
@pytest.mark.parametrize("beside", [0, 1, 1_000])
def test_the_deepest_place_counts(levels_of: int, beside: int) -> None:
    """Among many shallow lists one that is too deep is found, and at the limit it is read."""
    document = [[] for _ in range(beside)] + [wrapped(1, levels_of - 1)]
    assert is_read(document, json.dumps(document).encode()) == (levels_of <= NESTING_MAX)


def test_a_full_body_of_lists_is_judged_quickly() -> None:
    """The worst body of the greatest size is half a million lists: making them takes longer than judging."""
    unit = b"[" * 30 + b"]" * 30 + b","
    raw = b"[" + unit * (BODY_BYTES_MAX // len(unit) - 1) + b"0]"
    tries = []
    for _ in range(5):
        begun = time.thread_time()
        read_json(raw)
        tries.append(time.thread_time() - begun)
    assert min(tries) < 2
