"""Where the products of a study lie.

Data are shared by studies; eight digits in the name of a file stand for the settings that shape it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from airshed.config import Study
from airshed.data.prepared import Prepared
from airshed.graph.products import departed_from
from airshed.graph.views import digest

FORECASTS = "forecasts.zarr"
"""The forecasts of a network beside its scores, in a study that archives them."""


class Places:
    """Paths of the prepared data of a study.

    Args:
        study: The resolved study.
        results: The folder of all studies.
    """

    def __init__(self, study: Study, results: Path = Path("results")) -> None:
        self.study = study
        self.dataset = results / "data" / study.dataset.name
        self.data = self.dataset / str(study.dataset.grid)
        self.hourly = self.data / "hourly.zarr"

    @cached_property
    def static(self) -> Path:
        """Static fields."""
        return self._named("static", "static")

    @cached_property
    def patch_elevation(self) -> Path:
        """Pooled elevation."""
        patch = self.study.model.patch
        return self._named(f"patch_elevation_p{patch}", "patch_elevation", "static")

    @cached_property
    def statistics(self) -> Path:
        """Statistics of the training split."""
        return self._named(f"statistics_{self.study.splits.train}", "statistics", "static")

    @cached_property
    def climatology(self) -> Path:
        """Climatology of the training split."""
        harmonics = self.study.climatology.harmonics
        name = f"climatology_{self.study.splits.train}_h{harmonics}"
        return self._named(name, "climatology", "static")

    @cached_property
    def damping(self) -> Path:
        """Coefficients of damped persistence, from the training split."""
        name = f"damping_{self.study.splits.train}"
        return self._named(name, "damping", "climatology", "static")

    def scan_tables(self, variant: str | None = None) -> Path:
        """Tables of scans, of a variant if it is named; all that shapes them is in the name."""
        model = (self.study if variant is None else self.study.scanned_as(variant)).model
        return self.data / f"scan_tables_p{model.patch}_r{model.regions}_s{model.sectors}.nc"

    def prepared(self, variant: str) -> Prepared:
        """Where the data lie that forecasts of a variant need."""
        names = ("hourly", "static", "patch_elevation", "statistics")
        paths = {name: getattr(self, name) for name in names}
        return Prepared(scan_tables=self.scan_tables(variant), **paths)

    def for_training(self, variant: str) -> Prepared:
        """Where the data lie that a variant is trained with."""
        departing = {name: getattr(self, name) for name in departed_from(self.study)}
        return replace(self.prepared(variant), **departing)

    def _named(self, name: str, *products: str) -> Path:
        """A file that is shaped by the settings of itself and of what it is made from."""
        parts = [digest(product, self.study) for product in products]
        joined = parts[0]
        if len(parts) > 1:
            joined = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:8]
        return self.data / f"{name}_{joined}.nc"
