"""Measurements of a variant, cached beside its record and used again while they are valid.

Times and memory depend on settings and device, not on the values of fields: a replaced archive
repeats no measurement.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from airshed.bench.cost import measured_steps
from airshed.bench.measure import environment
from airshed.bench.variants import training_samples
from airshed.config import Study
from airshed.data.prepared import Prepared
from airshed.graph.notes import FOLDER
from airshed.graph.settings import name_of
from airshed.integrity.atomic import write_json
from airshed.integrity.formats import read_or_nothing

log = logging.getLogger(__name__)


def measured_once(
    study: Study, variant: str, prepared: Prepared, rounds: int, output: Path
) -> dict[str, Any]:
    """What a variant costs, measured unless that was done with these settings on such a device.

    Returns:
        As :func:`airshed.bench.cost.measured_steps`. The number of samples is that of the data as
        they are now.
    """
    cached = output.parent / FOLDER / f"measured_{output.name}"
    of = {
        "settings": name_of("cost", study, variant),
        "device": environment()["device"],
        "rounds": rounds,
    }
    before = read_or_nothing(cached)
    if before.get("of") == of:
        log.info("the cost of %s was measured with these settings on this device", variant)
        record: dict[str, Any] = before["record"]
        return record | {"samples": len(training_samples(study, prepared))}
    record = measured_steps(study, [variant], prepared, rounds)
    write_json(cached, {"of": of, "record": record})
    return record
