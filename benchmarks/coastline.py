"""Makes ``src/airshed/report/coastline.npz`` from Natural Earth's land at 1:50 million.

Natural Earth is in the public domain. Its land comes as ``land-50m.json`` of the package
world-atlas 2.0.2 (``npm pack world-atlas``): rings whose positions are steps from one to the next.
Positions are rounded to hundredths of a degree. Edges that only cut the land at the date line and
at the South Pole are no coast and left out.

    python benchmarks/coastline.py land-50m.json src/airshed/report/coastline.npz
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from airshed.arrays import Integers
from airshed.report.figures.coast import BREAK

HALF_TURN, SOUTH_POLE = 18000, -8999  # hundredths of a degree
FINEST = 2  # points of a line that lie closer together are not kept


def lines(atlas: dict[str, Any]) -> Iterator[Integers]:
    """Pieces of coast [N, 2], longitude and latitude in hundredths of a degree."""
    scale, origin = (100 * np.array(atlas["transform"][name]) for name in ("scale", "translate"))
    for arc in atlas["arcs"]:
        points = np.round(np.cumsum(arc, axis=0) * scale + origin).astype(int)
        edge = (np.abs(points[:, 0]) == HALF_TURN) | (points[:, 1] <= SOUTH_POLE)
        around = np.abs(np.diff(points[:, 0])) > HALF_TURN
        breaks = np.flatnonzero(around | (edge[:-1] & edge[1:])) + 1
        for piece in np.split(points, breaks):
            if len(piece) > 1:
                yield thinned(piece)


def thinned(points: Integers) -> Integers:
    """Without points that lie closer than FINEST to the one before; ends are kept."""
    kept = [0]
    for number in range(1, len(points) - 1):
        if np.abs(points[number] - points[kept[-1]]).max() >= FINEST:
            kept.append(number)
    return points[[*kept, len(points) - 1]]


def main() -> None:
    """Read the atlas, write the file."""
    source, target = map(Path, sys.argv[1:])
    pieces, between = lines(json.loads(source.read_text("utf-8"))), np.full((1, 2), BREAK)
    parts = [part for line in pieces for part in (line, between)]
    np.savez_compressed(target, points=np.concatenate(parts).astype(np.int16))


if __name__ == "__main__":
    main()
