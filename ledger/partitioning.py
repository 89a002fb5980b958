"""Which partition a key's records stand in, as Kafka's own clients choose it. Pure.

Every writer must choose alike, for ever: a key that moved would lose its order. So this is the default of
the Java client and of kafka-python (murmur2 over the key's bytes, its sign bit cleared, modulo the number of
partitions), and the tests hold it to published values of the one and to the code of the other.
"""

from typing import Final

_SEED: Final = 0x9747B28C
_MULTIPLIER: Final = 0x5BD1E995
_WORD: Final = 0xFFFFFFFF
_SIGN_CLEARED: Final = 0x7FFFFFFF


def murmur2(data: bytes) -> int:
    """The 32-bit MurmurHash2 of these bytes, with Kafka's seed, as an unsigned integer."""
    length = len(data)
    hashed = _SEED ^ length
    whole = length & ~3
    for at in range(0, whole, 4):
        word = int.from_bytes(data[at : at + 4], "little") * _MULTIPLIER & _WORD
        word = (word ^ word >> 24) * _MULTIPLIER & _WORD
        hashed = hashed * _MULTIPLIER & _WORD ^ word
    if length > whole:
        hashed = (hashed ^ int.from_bytes(data[whole:], "little")) * _MULTIPLIER & _WORD
    hashed = (hashed ^ hashed >> 13) * _MULTIPLIER & _WORD
    return hashed ^ hashed >> 15


def partition_of(key: bytes, partitions: int) -> int:
    """The partition, from 0 to ``partitions`` - 1, in which every record of this key stands."""
    return 0 if partitions == 1 else (murmur2(key) & _SIGN_CLEARED) % partitions
