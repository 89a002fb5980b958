"""Keys go to the partitions that Kafka's own clients choose."""

import random

import pytest
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


def test_the_hash_is_that_of_kafka_python() -> None:
    """For random keys of every length up to 150 bytes, the hash is what kafka-python computes."""
    dice = random.Random(1)
    for length in range(150):
        data = dice.randbytes(length)
        assert murmur2(data) == kafka_murmur2(data) % 2**32


def test_partitions_are_all_used() -> None:
    """Every partition is some key's, and none lies outside the given number."""
    chosen = {partition_of(f"acme/person-{number}".encode(), 6) for number in range(200)}
    assert chosen == set(range(6))


def test_one_partition_takes_every_key() -> None:
    """Where there is one partition, every key is in it."""
    assert {partition_of(key, 1) for key in PUBLISHED} == {0}
