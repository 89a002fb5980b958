"""Keys go to the partitions that Kafka's own clients choose."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as kafka_murmur2

from ledger.partitioning import murmur2, partition_of

PUBLISHED = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}
"""Values that the tests of Kafka's Java client publish, as signed integers."""


@pytest.mark.parametrize(("data", "signed"), PUBLISHED.items())
def test_the_hash_is_that_of_the_java_client(data: bytes, signed: int) -> None:
    """The hash of each published key is the published one."""
    assert murmur2(data) == signed % 2**32


@given(st.binary(max_size=200))
@example(b"")
def test_the_hash_is_that_of_kafka_python(data: bytes) -> None:
    """For any bytes the hash is what kafka-python computes, which any other writer may use."""
    assert murmur2(data) == kafka_murmur2(data) % 2**32


@given(st.binary(max_size=40), st.integers(min_value=1, max_value=1_000))
def test_a_key_stands_in_a_partition_that_exists(key: bytes, partitions: int) -> None:
    """Every key has one partition, and it is one of those there are."""
    assert 0 <= partition_of(key, partitions) < partitions


def test_keys_spread_over_the_partitions() -> None:
    """Of ten thousand individuals each of six partitions holds about a sixth."""
    counts = [0] * 6
    for number in range(10_000):
        counts[partition_of(f"acme/person-{number}".encode(), 6)] += 1
    assert min(counts) > 1_500


def test_one_partition_takes_every_key() -> None:
    """Where there is one partition, every key is in it."""
    assert {partition_of(key, 1) for key in PUBLISHED} == {0}
