"""Run the benchmarks and write one JSON file; what was measured is kept after every part.

Without ``--parts`` the file is written anew; with it, these parts of the file are measured again.

Parts of the model need torch, PyYAML and this package's source, nothing else.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
from pathlib import Path
from typing import Any

import torch

from airshed.bench.measure import environment, measured

log = logging.getLogger(__name__)

PARTS = {
    "scan": "parts:scans",
    "aggregation": "parts:aggregation",
    "attention": "attention:attention",
    "attention_memory": "attention:attention_memory",
    "layout": "layout:layout",
    "loader": "loader:loader",
    "data_wait": "loader:data_wait",
    "ingest": "ingest:ingest",
    "ingest_scaling": "ingest:scaling",
    "ingest_gridded": "ingest:gridded",
    "step": "step:steps",
    "step_memory": "step:step_memory",
    "growth_512": "step:growth_512",
    "growth_2048": "step:growth_2048",
    "growth_8192": "step:growth_8192",
    "calibration": "calibration:calibration",
    "studies": "studies:studies",
    "evaluation": "evaluation:evaluations",
    "planning": "load:planning",
    "index": "load:index",
    "thousand_jobs": "load:thousand_jobs",
}
"""Module and function of each part; its module is imported when the part is measured."""


def measure(part: str, scale: float) -> dict[str, Any]:
    """What one part finds, by sections of the file."""
    module, function = PARTS[part].split(":")
    found: dict[str, Any] = getattr(importlib.import_module(module), function)(scale)
    return found


def main() -> None:
    """Measure the parts that are asked for and merge them into the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("results/benchmarks.json"))
    parser.add_argument("--parts", nargs="+", choices=PARTS)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the rounds")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(options.threads)
    found: dict[str, Any] = {"environment": environment(), "ratios": {}}
    if options.parts and options.output.exists():
        kept = json.loads(options.output.read_text(encoding="utf-8"))
        same = ("device", "threads", "torch")
        if all(kept["environment"][key] == found["environment"][key] for key in same):
            found = kept
    for name in options.parts or PARTS:
        log.info("measuring %s", name)
        for section, values in measure(name, options.scale).items():
            found.setdefault(section, {}).update(values)
        found.setdefault("measured", {})[name] = measured()
        if {"scan", "step_wind_baseline"} <= found.get("seconds", {}).keys():
            found["ratios"]["scan_share_of_step"] = _share(found["seconds"])
        options.output.parent.mkdir(parents=True, exist_ok=True)
        temporary = options.output.with_suffix(".tmp")
        temporary.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        temporary.replace(options.output)
    log.info("written: %s", options.output)


def _share(took: dict[str, dict[str, float]]) -> dict[str, float]:
    scan, step = took["scan"], took["step_wind_baseline"]
    return {
        "median": round(scan["median"] / step["median"], 7),
        "min": round(scan["min"] / step["max"], 7),
        "max": round(scan["max"] / step["min"], 7),
        "rounds": min(scan["rounds"], step["rounds"]),
    }


if __name__ == "__main__":
    main()
