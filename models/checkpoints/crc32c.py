"""CRC-32C (Castagnoli), fast enough in numpy for files of weights: many stretches at once, then joined."""

from __future__ import annotations

from functools import cache

import numpy as np

_POLYNOMIAL = 0x82F63B78
_LANES = 1024
_MASK_DELTA = 0xA282EAD8


def crc32c(content: bytes | bytearray | memoryview) -> int:
    """The checksum of some bytes."""
    table = _table()
    state = 0xFFFFFFFF
    array = np.frombuffer(content, np.uint8)
    length = len(array) // _LANES
    if length >= 64:
        columns = np.ascontiguousarray(array[: length * _LANES].reshape(_LANES, length).T)
        states = np.zeros(_LANES, np.uint32)
        for column in columns:
            states = table[(states ^ column) & 255] ^ (states >> np.uint32(8))
        shift = _shift(length)
        for lane in states.tolist():
            state = _apply(shift, state) ^ lane
        array = array[length * _LANES :]
    small = _small_table()
    for byte in array.tolist():
        state = small[(state ^ byte) & 255] ^ (state >> 8)
    return state ^ 0xFFFFFFFF


def unmask(value: int) -> int:
    """The checksum that TensorFlow and LevelDB store rotated and shifted as `value`."""
    rotated = (value - _MASK_DELTA) & 0xFFFFFFFF
    return (rotated >> 17 | rotated << 15) & 0xFFFFFFFF


@cache
def _table() -> np.ndarray:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, table >> 1 ^ np.uint32(_POLYNOMIAL), table >> 1).astype(np.uint32)
    return table


@cache
def _small_table() -> list[int]:
    return _table().tolist()


@cache
def _shift(length: int) -> tuple[int, ...]:
    """What `length` zero bytes make of a state: the images of its 32 bits, as all of it is linear."""
    step = tuple(_small_table()[bit & 255] ^ bit >> 8 for bit in (1 << n for n in range(32)))
    result = tuple(1 << n for n in range(32))
    while length:
        if length & 1:
            result = tuple(_apply(step, image) for image in result)
        step = tuple(_apply(step, image) for image in step)
        length >>= 1
    return result


def _apply(images: tuple[int, ...], state: int) -> int:
    result = 0
    while state:
        bit = state & -state
        result ^= images[bit.bit_length() - 1]
        state ^= bit
    return result
