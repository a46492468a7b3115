"""Run the benchmarks and write one JSON file; what was measured is kept after every part.

Without ``--parts`` the file is written anew; with it, these parts of the file are measured again.

Needs torch and this package's source, nothing else: ``PYTHONPATH=src python benchmarks/run.py``.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from attention import attention, attention_memory
from parts import aggregation, scans
from step import step_memory, steps

from airshed.bench.measure import environment, measured

log = logging.getLogger(__name__)


def evaluation(scale: float) -> dict[str, Any]:
    """Needs the data stack, so it is imported when it is asked for."""
    from evaluation import evaluations

    return evaluations(scale)


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "scan": scans,
    "aggregation": aggregation,
    "attention": attention,
    "attention_memory": lambda scale: attention_memory(),
    "evaluation": evaluation,
    "step": steps,
    "step_memory": lambda scale: step_memory(),
}


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
        for section, values in PARTS[name](options.scale).items():
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
