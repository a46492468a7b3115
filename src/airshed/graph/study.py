"""The graph of one study: paths of its products, and the settings of their steps."""

from __future__ import annotations

import json
import sys
from base64 import urlsafe_b64encode
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

from airshed.config import Study
from airshed.errors import AirshedError
from airshed.graph.changes import changed_files, replaced_data, retrained
from airshed.graph.notes import Note, note_path
from airshed.graph.other_runs import other_runs
from airshed.graph.places import Places
from airshed.graph.products import PRODUCTS, departed_from
from airshed.graph.settings import FOLDER, OF_A_VARIANT, SettingsFiles, name_of
from airshed.graph.sharing import Pair, Sharing
from airshed.graph.user_files import CurrentFiles, Listing, UserFiles
from airshed.integrity.atomic import write_json

DECIDED = {"--forcerun", "-R", "--rerun-triggers", "--touch", "-t", "--unlock"}
"""Snakemake's options by which users themselves choose what runs again."""
RECORDS, INCOMPLETE = Path(".snakemake/metadata"), Path(".snakemake/incomplete")
PART = 254  # letters of a record's name in one folder: file systems allow no longer names


class StudyGraph:
    """What the workflow asks while Snakemake parses.

    Args:
        study: The resolved study.
        main: Whether this process plans the jobs; the processes of jobs read what it found.
    """

    def __init__(self, study: Study, main: bool = True) -> None:
        self._study = study
        self._files = SettingsFiles(study)
        self.places = Places(study)
        self.results = Path("results") / study.study
        self._plan_file = FOLDER / f"found-{study.study}.json"
        self.settings = cache(self._files.shaping)
        self.work = cache(self._files.work)
        self._user_files = cache(self._look_at)
        self._found: dict[str, str | None] = {}
        self.trainings: dict[Pair, Path] = {}
        self.scores: dict[Pair, Path] = {}
        if main:
            self._share()
        else:
            self._read_found()

    def _share(self) -> None:
        """Find finished results of other studies, if the prepared data are current."""
        observations = self.outputs("observations")[0] if self._study.stations else None
        prepared = {name: self.places.for_training(name) for name in self._study.variants}
        simulated = ["raw"] if self._study.dataset.source == "simulator" else []
        needed = [*simulated, "hourly", "static", *(["observations"] if observations else [])]
        read = [path for each in prepared.values() for path in vars(each).values()]
        there = [path for path in [*read, observations] if path is not None]
        if not (
            self._study.jobs.take_over
            and all(path.exists() for path in there)
            and all(self._is_current(product, None, self.outputs(product)[0]) for product in needed)
        ):
            return
        climatology = self.places.climatology
        sharing = Sharing(self._study, prepared, climatology, self.results, observations)
        self.trainings, self.scores = sharing.trainings(), sharing.scores()

    def departed_from(self) -> list[str]:
        """What trainings read beside the prepared data of every network."""
        return departed_from(self._study)

    def _is_current(self, product: str, of: str | None, output: Path) -> bool:
        """Whether an output was made with these settings from the user's files as they are now."""
        note = Note.beside(output)
        if note is None or note.name != name_of(product, self._study, of):
            return False
        _, current, _ = self._user_files(product, of)
        tokens = [
            {name: entry["token"] for name, entry in one.items()}
            for one in (current.listing, note.files)
        ]
        return tokens[0] == tokens[1]

    def _read_found(self) -> None:
        """Read what the planning process has found."""
        path = self._plan_file
        if path.is_file():
            found = json.loads(path.read_text(encoding="utf-8"))
            self._found = found["files"]
            self.trainings, self.scores = (
                {(variant, int(seed)): Path(source) for variant, seed, source in found[key]}
                for key in ("trainings", "scores")
            )

    def outputs(self, product: str, of: str | None = None) -> list[Path]:
        """The files of a product that have notes; of one variant or forecast if it is named."""
        study, results, places = self._study, self.results, self.places
        external = list(study.external) if of is None else [of]
        names = [of] if of in study.variants else study.variants
        variants = [results / "variants" / name for name in names]
        found = {
            "raw": [places.dataset / "raw"],
            "hourly": [places.hourly],
            "static": [places.static],
            "patch_elevation": [places.patch_elevation],
            "statistics": [places.statistics],
            "scan_tables": [places.scan_tables(name) for name in names],
            "climatology": [places.climatology],
            "damping": [places.damping],
            "wind_roses": [results / "wind_roses.nc"],
            "observations": [results / "stations/observations.nc"],
            "training": [one / f"seed{seed}/run.json" for one in variants for seed in study.seeds],
            "scores": [one / f"seed{seed}/scores.nc" for one in variants for seed in study.seeds],
            "interventions": [
                one / f"seed{seed}/interventions.json" for one in variants for seed in study.seeds
            ],
            "ensemble": [one / "ensemble.csv" for one in variants],
            "interventions_table": [results / "interventions.csv"],
            "baseline": sorted(results.glob("baselines/*/scores.nc")),
            "external": [results / "external" / name / "scores.nc" for name in external],
            "interpretation": [
                one / f"seed{seed}/interpretation.json" for one in variants for seed in study.seeds
            ],
            "cost": [one / "cost.json" for one in variants],
            "cost_table": [results / "cost.json"],
            "comparison": [results / "comparisons.csv"],
            "report": [results / "report.html"],
        }
        return found.get(product, [])

    def files(self, product: str, of: str | None = None) -> str | None:
        """A digest of the user's files that a product is made from."""
        key = f"{product} {of or ''}"
        if key not in self._found:
            files, current, _ = self._user_files(product, of)
            self._found[key] = current.digest(files)
        return self._found[key]

    def _look_at(self, product: str, of: str | None) -> tuple[UserFiles, CurrentFiles, Listing]:
        """The files, their state now, and their state in the product's note."""
        files = UserFiles.of(self._study, product, of)
        notes = (Note.beside(path) for path in self.outputs(product, of))
        noted = next((note.files for note in notes if note is not None), {})
        return files, CurrentFiles.of(files, noted), noted

    def other_files(self) -> list[str]:
        """The user's files other than raw data, for the manifest."""
        found = [
            UserFiles.of(self._study, product, of).paths.values()
            for product, of in self._with_files()
            if product != "hourly"
        ]
        return list(dict.fromkeys(str(path) for paths in found for path in paths))

    def steps(self) -> Iterator[tuple[str, str | None]]:
        """Each product with a step of its own, and the variant or forecast that it is of."""
        for product in (name for name, made in PRODUCTS.items() if made.rule):
            if product in (*OF_A_VARIANT, "scan_tables"):
                yield from ((product, name) for name in self._study.variants)
            elif product == "external":
                yield from ((product, name) for name in self._study.external)
            else:
                yield product, None

    def _with_files(self) -> Iterator[tuple[str, str | None]]:
        """The products that files of the user can shape."""
        yield from (("hourly", None), ("static", None), ("observations", None))
        yield from (("training", name) for name in self._study.variants)
        yield from (("external", name) for name in self._study.external)

    def notices(self) -> list[str]:
        """Lines for the user before the jobs are listed: what repeats and why, what is missing.

        Raises:
            AirshedError: The study would replace what another one depends on; or results are of
                other settings and Snakemake has no record of it.
        """
        made = {product: self.outputs(product)[0] for product in ("raw", "hourly")}
        lines = other_runs() + replaced_data(self._study, made)
        lines += retrained(self._study, self.results)
        for product, of in self._with_files():
            _, current, noted = self._user_files(product, of)
            lines += changed_files(product, noted, current) if noted else []
        self._check_records()
        lines += self._of_earlier_versions()
        return [*lines, *filter(None, [self.missing()])]

    def missing(self, rules: Collection[str] | None = None) -> str:
        """A line on the user's files that are missing and were never read; empty without any.

        Args:
            rules: Only the files of these rules; of all if none are given.
        """
        named = {
            f"{setting}: {path}{' (holds no file that is read)' if Path(path).exists() else ''}"
            for product, of in self._with_files()
            for setting, path in self._user_files(product, of)[0].missing.items()
            if not self._user_files(product, of)[2]
            and (rules is None or PRODUCTS[product].rule in rules)
        }
        return f"not there yet: {', '.join(sorted(named))}" if named else ""

    def _of_earlier_versions(self) -> list[str]:
        """A line on results without a note of what they were made from."""
        unknown = {
            PRODUCTS[product].words: None
            for product, of in self.steps()
            for path in self.outputs(product, of)
            if path.exists() and not note_path(path).exists()
        }
        if not unknown:
            return []
        return [
            f"{', '.join(unknown)}: made by an earlier version of Airshed, which noted neither"
            " settings nor files, or not made to the end; they are made again"
        ]

    def _check_recorded(self) -> None:
        """Refuse stale results of which Snakemake has no record, by which it would notice."""
        if DECIDED.intersection(sys.argv):
            return
        stale = {
            PRODUCTS[product].rule: None
            for product, of in self.steps()
            for path in self.outputs(product, of)
            if path.exists() and not _recorded(path) and not self._is_current(product, of, path)
        }
        if stale:
            rules = ", ".join(stale)
            raise AirshedError(
                "Snakemake's records are gone, and results are not of these settings and files",
                where=RECORDS,
                found=f"of other or unknown settings or files: what the rules {rules} make",
                hint=f"make them again with snakemake --forcerun {' '.join(stale)}",
            )

    def begin(self, rules: Collection[str]) -> None:
        """Write what jobs read, and refuse to start without the user's files.

        Raises:
            AirshedError: Files that they read are missing.
        """
        if missing := self.missing(rules):
            raise AirshedError("files that the study names are missing", found=missing)
        for product, of in self.steps():
            self.settings(product, of)
            self.work(product, of)
        self._files.write()
        write_json(
            self._plan_file,
            {
                "files": self._found,
                "trainings": [[*pair, str(path)] for pair, path in self.trainings.items()],
                "scores": [[*pair, str(path)] for pair, path in self.scores.items()],
            },
        )
        self._note_touched()

    def _note_touched(self) -> None:
        """Note the new times of files that were only touched, so that they are not hashed again."""
        for product, of in self._with_files():
            _, current, noted = self._user_files(product, of)
            for path in self.outputs(product, of) if current.touched else []:
                note = Note.beside(path)
                if note is not None:
                    note.files = {
                        name: current.listing.get(name, entry) for name, entry in noted.items()
                    }
                    note.write(path)


def _recorded(output: Path) -> bool:
    """Whether Snakemake has a record of what an output was made with, or that it is incomplete.

    Such a record is a file whose name is the output's, in base64.
    """
    name = urlsafe_b64encode(str(output).encode()).decode()
    parts = [name[start : start + PART] for start in range(0, len(name), PART)]
    record = Path(*(f"@{part}" for part in parts[:-1]), parts[-1])
    return any((folder / record).exists() for folder in (RECORDS, INCOMPLETE))
