"""Fast reading of single hours: chunks are taken straight from the hourly store's shards.

Zarr's own reader takes 2 ms for each array it reads from, whatever its size; an hour of CAQRA is
eleven arrays. The layout is known (``airshed.data.hourly``), so a read needs the shard's index, one
``pread`` and a decompression. The format is that of the Zarr v3 specification (sharding-indexed
codec, version 1.0): at the end of a shard stand offset and length of each chunk, little-endian;
a checksum of four bytes (crc32c) follows it, and likewise each chunk.

Nothing stays open between reads, so that readers can be sent to and forked into other processes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import google_crc32c
import numcodecs.blosc
import numpy as np
import numpy.typing as npt
import zarr

from airshed.arrays import Floats32
from airshed.data.hourly import PACKING, packing
from airshed.data.stores import damaged_hours
from airshed.errors import AirshedError
from airshed.variables import VARIABLES

ABSENT = 2**64 - 1  # offset of a chunk that was never written
CHECKSUM_BYTES = 4
HOURS_A_DAY = 24

numcodecs.blosc.use_threads = False  # many readers share a machine, and threads do not survive fork


class HourReader:
    """Reads hours of the variables of an hourly store, in float32 and canonical units.

    Args:
        path: The store.
        names: Variables, in the order in which they are returned.

    Raises:
        AirshedError: A variable is not laid out as the hourly store is.
    """

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self.path, self.names = Path(path), tuple(names)
        group = zarr.open_group(path, mode="r")
        arrays: list[Any] = [group[name] for name in self.names]
        for name, array in zip(self.names, arrays, strict=True):
            _check_layout(array, path, name)
        self.dtype = arrays[0].dtype
        self.shape = arrays[0].shape[1:]
        self.chunk_hours, self.shard_hours = arrays[0].chunks[0], arrays[0].shards[0]
        self.scale, self.offset = (
            [array.attrs.get(key, default) for array in arrays] for key, default in PACKING
        )
        self._indices: dict[Path, npt.NDArray[np.uint64]] = {}

    def read(self, hour: int) -> Floats32:
        """Fields [V, Y, X] of an hour, by its position on the store's time axis; NaN where missing.

        Raises:
            AirshedError: A shard is missing or damaged.
        """
        out = np.empty((len(self.names), *self.shape), dtype=np.float32)
        day, of_day = divmod(hour, self.shard_hours)
        chunk, row = divmod(of_day, self.chunk_hours)
        for index in range(len(self.names)):
            fields = self._chunk(index, day, chunk)
            if fields is None:
                out[index] = np.nan
                continue
            out[index] = fields[row]
            if self.scale[index] != 1:
                out[index] *= self.scale[index]
            if self.offset[index]:
                out[index] += self.offset[index]
        return out

    def _chunk(self, variable: int, day: int, chunk: int) -> npt.NDArray[Any] | None:
        """Stored numbers [hours, Y, X] of one chunk; None if it was never written."""
        path = self.path / self.names[variable] / "c" / str(day) / "0" / "0"
        if path not in self._indices:
            self._indices[path] = _shard_index(path, self.shard_hours // self.chunk_hours)
        offset, length = self._indices[path][chunk].tolist()
        if offset == ABSENT:
            return None
        try:
            packed = _checked(_read(path, offset, length))
            values = np.frombuffer(numcodecs.blosc.decompress(packed), self.dtype)
            return values.reshape(self.chunk_hours, *self.shape)
        except (OSError, RuntimeError, ValueError) as error:
            raise damaged_hours(self.path, path, error) from error


def _check_layout(array: Any, path: Path, name: str) -> None:
    shards, codecs = array.shards, [type(codec).__name__ for codec in array.compressors]
    if shards is None or HOURS_A_DAY % shards[0] or codecs != ["BloscCodec", "Crc32cCodec"]:
        raise AirshedError(
            "a variable of the hourly store has another layout",
            where=f"{path}, variable {name}",
            expected="shards of a day, compressed by Blosc and with checksums",
            found=f"shards {shards}, compressors {codecs or 'none'}",
            hint="delete the store and run the workflow again",
        )
    stored = {key: array.attrs[key] for key, _ in PACKING if key in array.attrs}
    known = VARIABLES.get(name)
    if known is not None and stored != packing(known, str(array.dtype)):
        raise damaged_hours(path, f"{path}, variable {name}", f"packed as {stored}")


def _shard_index(path: Path, chunks: int) -> npt.NDArray[np.uint64]:
    """Offset and length of each chunk of a shard, [chunks, 2]; all absent without the file."""
    size = chunks * 16
    try:
        content = _checked(_read(path, -(size + CHECKSUM_BYTES), size + CHECKSUM_BYTES))
    except FileNotFoundError:
        return np.full((chunks, 2), ABSENT, dtype=np.uint64)
    except (OSError, ValueError) as error:
        raise damaged_hours(path.parents[4], path, error) from error
    return np.frombuffer(content, "<u8").reshape(chunks, 2)


def _checked(content: bytes) -> memoryview:
    """The content without the checksum at its end, which must be right."""
    body = memoryview(content)[:-CHECKSUM_BYTES]
    if google_crc32c.value(body.tobytes()) != int.from_bytes(content[-CHECKSUM_BYTES:], "little"):
        raise ValueError("a checksum is wrong")
    return body


def _read(path: Path, offset: int, length: int) -> bytes:
    """Bytes of a file; a negative offset counts from its end."""
    file = os.open(path, os.O_RDONLY)
    try:
        start = offset if offset >= 0 else os.fstat(file).st_size + offset
        content = os.pread(file, length, max(0, start))
    finally:
        os.close(file)
    if len(content) != length:
        raise OSError(f"{len(content)} of {length} bytes are there")
    return content
