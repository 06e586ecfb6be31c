"""Damaged files made from good ones: each a pure function of its generator."""

from __future__ import annotations

import struct
import zlib
from random import Random

# Where sizes and counts go wrong: at ends of ranges, and one beside.
ENDS = (0, 1, 2, 3, 127, 128, 255, 256, 32767, 32768, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**63)
LARGEST = 1 << 20
PNG = b"\x89PNG\r\n\x1a\n"


def mutated(examples: list[bytes], random: Random) -> bytes:
    """An example with one to eight changes; its own kind's checksums made right half of the time.

    Changes are a bit, a byte, a number of 1 to 8 bytes, a cut, a repetition, and a piece of another
    example or of this one put elsewhere.
    """
    data = bytearray(random.choice(examples))
    for _ in range(random.choice((1, 1, 2, 4, 8))):
        _change(data, examples, random)
    changed = bytes(data[:LARGEST])
    return repaired(changed) if random.random() < 0.5 else changed


def _change(data: bytearray, examples: list[bytes], random: Random) -> None:
    # Half of the changes go where headers are.
    reach = min(len(data), 64) if random.random() < 0.5 else len(data)
    at = random.randrange(reach + 1)
    length = random.choice((1, 2, 4, 8, 16, random.randrange(1, len(data) + 2)))
    kind = random.randrange(7)
    if kind == 0 and at < len(data):
        data[at] ^= 1 << random.randrange(8)
    elif kind == 1 and at < len(data):
        data[at] = random.randrange(256)
    elif kind == 2:
        size = random.choice((1, 2, 4, 8))
        number = random.choice(ENDS) % 256**size
        data[at : at + size] = number.to_bytes(size, random.choice(("little", "big")))
    elif kind == 3:
        del data[at : at + length]
    elif kind == 4:
        data[at:at] = data[at : at + length] * random.choice((1, 1, 2, 50))
    elif kind == 5:
        other = random.choice(examples)
        start = random.randrange(len(other) + 1)
        data[at : at + random.choice((0, length))] = other[start : start + length]
    else:
        to = random.randrange(len(data) + 1)
        data[to:to] = data[at : at + length]


def repaired(data: bytes) -> bytes:
    """A PNG whose chunks have the checksums that fit them; other files as they are."""
    if not data.startswith(PNG):
        return data
    out, at = [PNG], len(PNG)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        body = data[at + 4 : at + 8 + length]
        out += [data[at : at + 4], body, struct.pack(">I", zlib.crc32(body))]
        at += 12 + length
    return b"".join([*out, data[at:]])
