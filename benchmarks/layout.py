"""What the hourly store's compression and precision cost: bytes, and time to read an hour."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from document import document, recorded
from made_data import SEED_GRID, study
from zarr.codecs import BloscCodec, Crc32cCodec

from airshed.bench.measure import interleaved, spread
from airshed.data import hourly
from airshed.data.shards import HourReader
from airshed.simulate.world import World
from airshed.variables import HOURLY

log = logging.getLogger(__name__)
HOURS = 24
PAGE = Path("docs/data-format.md")
CODECS = {
    "lz4_shuffle": {"cname": "lz4", "clevel": 5, "shuffle": "shuffle"},
    "lz4_bitshuffle": {"cname": "lz4", "clevel": 5, "shuffle": "bitshuffle"},
    "zstd3_bitshuffle": {"cname": "zstd", "clevel": 3, "shuffle": "bitshuffle"},
    "zstd9_bitshuffle": {"cname": "zstd", "clevel": 9, "shuffle": "bitshuffle"},
}


def layout(scale: float) -> dict[str, Any]:
    """A simulated day on 128 x 256 cells, by precision and compressor.

    ``store_bytes``: share of what the numbers take in single precision. ``read_hour``: seconds for
    the eleven variables of one hour, from the page cache, in one process.
    """
    log.info("layout: simulating a day")
    made = simulated_day()
    sizes: dict[str, dict[str, float]] = {}
    readers: dict[str, Callable[[], object]] = {}
    with TemporaryDirectory() as name:
        for precision in ("float32", "float16"):
            for codec, settings in CODECS.items():
                case = f"{precision}_{codec}"
                path = Path(name) / case
                write(path, made, precision, settings)
                size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
                sizes[f"store_bytes_{case}"] = spread([size / made.astype(np.float32).nbytes])
                readers[case] = reading(path)
        times = interleaved(readers, max(2, round(7 * scale)), "layout")
    took = {name: [taken / HOURS for taken in taken] for name, taken in times.items()}
    return {
        "ratios": sizes,
        "seconds": {f"read_hour_{name}": spread(found) for name, found in took.items()},
    }


def simulated_day() -> np.ndarray:
    """Fields [24, 11, Y, X] of the simulator, NaN outside its domain."""
    dataset = study(1).dataset
    simulator = dataset.simulator.model_copy(update={"grid": dataset.grid, "cell_km": 25.0})
    world = World(dataset.model_copy(update={"source": "simulator", "simulator": simulator}))
    hours = [np.stack([fields[name] for name in HOURLY]) for _, fields in world.hours(HOURS)]
    return np.where(world.land.domain, np.stack(hours), np.nan)


def write(path: Path, made: np.ndarray, precision: str, settings: dict[str, Any]) -> None:
    """A store of one day with another compressor than the project's."""
    chosen = hourly.COMPRESSION
    hourly.COMPRESSION = (BloscCodec(**settings), Crc32cCodec())
    try:
        zeros = np.zeros(SEED_GRID)
        hourly.create(path, study(1, precision).dataset, zeros, zeros)
        hourly.write_day(path, 0, made, HOURLY)
    finally:
        hourly.COMPRESSION = chosen


def reading(path: Path) -> Callable[[], object]:
    """Reads every hour of a store."""
    reader = HourReader(path, HOURLY)

    def run() -> None:
        for hour in range(HOURS):
            reader.read(hour)

    return run


def table(record: dict[str, Any]) -> str:
    """Rows of the measured sizes and times, in Markdown."""
    lines = ["| precision | compressor | size | ms to read an hour |", "|---|---|---|---|"]
    for precision in ("float32", "float16"):
        for codec in CODECS:
            case = f"{precision}_{codec}"
            size = record["ratios"][f"store_bytes_{case}"]["median"]
            took = record["seconds"][f"read_hour_{case}"]
            shown = [f"{1e3 * took[key]:.2f}" for key in ("median", "min", "max")]
            label = codec.replace("_", ", ")
            times = f"{shown[0]} [{shown[1]}, {shown[2]}]"
            lines.append(f"| {precision} | {label} | {size:.3f} | {times} |")
    return "\n".join(lines)


if __name__ == "__main__":
    document("layout", table({name: recorded(name) for name in ("ratios", "seconds")}), PAGE)
