"""The graph of one study: where its products lie, and what their rules are handed."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from airshed.config import Study
from airshed.graph.notes import Note
from airshed.graph.places import Places
from airshed.graph.products import PRODUCTS
from airshed.graph.settings import SettingsFiles
from airshed.graph.user_files import Known, UserFiles


class StudyGraph:
    """What the workflow asks while Snakemake parses.

    Args:
        study: The resolved study.
        main: Whether this is the process that plans; jobs read what it found.
    """

    def __init__(self, study: Study, main: bool = True) -> None:
        self._study, self._main = study, main
        self._files = SettingsFiles(study)
        self.places = Places(study)
        self.results = Path("results") / study.study
        self.settings = cache(self._files.shaping)
        self.work = cache(self._files.work)
        self.files = cache(self._user_files)

    def outputs(self, product: str, of: str | None = None) -> list[Path]:
        """The files beside which a product's notes lie."""
        study, results = self._study, self.results
        variants = [of] if of is not None else study.variants
        seeds = [
            results / "variants" / variant / f"seed{seed}"
            for variant in variants
            for seed in study.seeds
        ]
        match product:
            case "raw":
                return [self.places.dataset / "raw"]
            case "hourly" | "static" | "patch_elevation" | "statistics" | "climatology":
                return [getattr(self.places, product)]
            case "scan_tables":
                return [self.places.scan_tables]
            case "observations":
                return [results / "stations/observations.nc"]
            case "training":
                return [folder / "run.json" for folder in seeds]
            case "external":
                names = [of] if of is not None else list(study.external)
                return [results / "external" / name / "scores.nc" for name in names]
        raise KeyError(product)

    def _user_files(self, product: str, of: str | None = None) -> str | None:
        files = UserFiles.of(self._study, product, of)
        noted = (Note.beside(path) for path in self.outputs(product, of))
        known = next((note.files for note in noted if note is not None), {})
        return Known.now(files, known).digest(files)

    def files_outside(self) -> list[str]:
        """The user's files that are no raw data, as they are named in the manifest."""
        found: dict[str, None] = {}
        study = self._study
        names = [*study.variants, *study.external]
        for product in PRODUCTS:
            for of in [None, *names] if product != "hourly" else []:
                for path in UserFiles.of(study, product, of).paths.values():
                    found[str(path)] = None
        return list(found)

    def begin(self) -> None:
        """Write what the jobs read."""
        self._files.write()
