"""In which partition a key stands: the rule of Kafka's own clients, so that any of them finds the same.

Source: Apache Kafka, ``BuiltInPartitioner.partitionForKey``: the murmur2 hash of the key, without its sign,
modulo the number of partitions. It may never change: an individual's events would fall into two partitions.
"""

import struct
from typing import Final

_SEED: Final = 0x9747B28C
_M: Final = 0x5BD1E995
_MASK: Final = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """The 32-bit MurmurHash2 of bytes, unsigned, with the seed that Kafka uses."""
    h = _SEED ^ len(data)
    whole = len(data) & ~3
    for (k,) in struct.iter_unpack("<I", data[:whole]):
        k = k * _M & _MASK  # noqa: PLW2901 - the names are those of the published algorithm.
        k ^= k >> 24  # noqa: PLW2901 - see above.
        h = (h * _M & _MASK) ^ (k * _M & _MASK)
    tail = data[whole:]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _MASK
    h ^= h >> 13
    h = h * _M & _MASK
    return h ^ (h >> 15)


def partition_of(key: bytes, partitions: int) -> int:
    """The partition in which Kafka's default partitioner puts a key."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
