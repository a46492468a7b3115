"""The graph of one study: where its products lie, and what their rules are handed."""

from __future__ import annotations

import json
import sys
from base64 import urlsafe_b64encode
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

from airshed.config import Study
from airshed.data.prepared import Prepared
from airshed.errors import AirshedError
from airshed.graph.changes import of_files, reingested, retrained
from airshed.graph.notes import Note, note_path
from airshed.graph.others import others_at_work
from airshed.graph.places import Places
from airshed.graph.products import PRODUCTS, departed_from
from airshed.graph.settings import FOLDER, OF_A_VARIANT, SettingsFiles, name_of
from airshed.graph.sharing import Pair, Sharing
from airshed.graph.user_files import Known, Listing, UserFiles
from airshed.integrity.atomic import write_json

DECIDED = {"--forcerun", "-R", "--rerun-triggers", "--touch", "-t", "--unlock"}
"""Options of Snakemake's by which users say themselves what runs again."""
RECORDS, INCOMPLETE = Path(".snakemake/metadata"), Path(".snakemake/incomplete")
PART = 254  # letters of a name of a record, of those that a file system has


class StudyGraph:
    """What the workflow asks while Snakemake parses.

    Args:
        study: The resolved study.
        main: Whether this is the process that plans; jobs read what it found.
    """

    def __init__(self, study: Study, main: bool = True) -> None:
        self._study = study
        self._handed = SettingsFiles(study)
        self.places = Places(study)
        self.results = Path("results") / study.study
        self._kept = FOLDER / f"found-{study.study}.json"
        self.settings = cache(self._handed.shaping)
        self.work = cache(self._handed.work)
        self._looked_at = cache(self._look_at)
        self._found: dict[str, str | None] = {}
        self.trainings: dict[Pair, Path] = {}
        self.scores: dict[Pair, Path] = {}
        if main:
            self._share()
        else:
            self._read_found()

    def _share(self) -> None:
        """Find what other studies hold, if the data are as they will be read."""
        observations = self.outputs("observations")[0] if self._study.stations else None
        prepared = {name: self.prepared(name) for name in self._study.variants}
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

    def prepared(self, variant: str) -> Prepared:
        """Where the data lie that a variant is trained and scored with."""
        return self.places.for_training(variant)

    def departed_from(self) -> list[str]:
        """What trainings read beside the prepared data of every network."""
        return departed_from(self._study)

    def _is_current(self, product: str, of: str | None, output: Path) -> bool:
        """Whether what is there of a product is of these settings and of the files as they are."""
        note = Note.beside(output)
        if note is None or note.name != name_of(product, self._study, of):
            return False
        _, known, _ = self._looked_at(product, of)
        tokens = [
            {name: entry["token"] for name, entry in one.items()}
            for one in (known.listing, note.files)
        ]
        return tokens[0] == tokens[1]

    def _read_found(self) -> None:
        """What the process that plans has found."""
        path = self._kept
        if path.is_file():
            found = json.loads(path.read_text(encoding="utf-8"))
            self._found = found["files"]
            self.trainings, self.scores = (
                {(variant, int(seed)): Path(source) for variant, seed, source in found[key]}
                for key in ("trainings", "scores")
            )

    def outputs(self, product: str, of: str | None = None) -> list[Path]:
        """The files of a product beside which its notes lie; those of one variant or forecast."""
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
        """What stands for the user's files that a product is made from."""
        key = f"{product} {of or ''}"
        if key not in self._found:
            files, known, _ = self._looked_at(product, of)
            self._found[key] = known.digest(files)
        return self._found[key]

    def _look_at(self, product: str, of: str | None) -> tuple[UserFiles, Known, Listing]:
        """The files, their tokens, and what was noted of them."""
        files = UserFiles.of(self._study, product, of)
        notes = (Note.beside(path) for path in self.outputs(product, of))
        noted = next((note.files for note in notes if note is not None), {})
        return files, Known.now(files, noted), noted

    def files_outside(self) -> list[str]:
        """The user's files that are no raw data, for the manifest."""
        found = [
            UserFiles.of(self._study, product, of).paths.values()
            for product, of in self._with_files()
            if product != "hourly"
        ]
        return list(dict.fromkeys(str(path) for paths in found for path in paths))

    def handed_out(self) -> Iterator[tuple[str, str | None]]:
        """The products whose steps are handed settings, of each variant or other forecast."""
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

    def told(self) -> list[str]:
        """What is to be said before the jobs are listed.

        Raises:
            AirshedError: The study would replace what another one stands on, or nothing but the
                notes beside results knows that they are of other settings.
        """
        made = {product: self.outputs(product)[0] for product in ("raw", "hourly")}
        lines = others_at_work() + reingested(self._study, made)
        lines += retrained(self._study, self.results)
        for product, of in self._with_files():
            _, known, noted = self._looked_at(product, of)
            lines += of_files(product, noted, known) if noted else []
        self._check_noticed()
        lines += self._of_an_earlier_version()
        return [*lines, *filter(None, [self.missing()])]

    def missing(self, rules: Collection[str] | None = None) -> str:
        """What of the user's files is not there and was never read, in a line; empty if nothing.

        Args:
            rules: The rules whose files are asked for; all if none are given.
        """
        named = {
            f"{setting}: {path}{' (holds no file that is read)' if Path(path).exists() else ''}"
            for product, of in self._with_files()
            for setting, path in self._looked_at(product, of)[0].missing.items()
            if not self._looked_at(product, of)[2]
            and (rules is None or PRODUCTS[product].rule in rules)
        }
        return f"not there yet: {', '.join(sorted(named))}" if named else ""

    def _of_an_earlier_version(self) -> list[str]:
        """A line on results that have no note of what they were made from."""
        unknown = {
            PRODUCTS[product].words: None
            for product, of in self.handed_out()
            for path in self.outputs(product, of)
            if path.exists() and not note_path(path).exists()
        }
        if not unknown:
            return []
        return [
            f"{', '.join(unknown)}: made by an earlier version of Airshed, which noted neither"
            " settings nor files, or not made to the end; they are made again"
        ]

    def _check_noticed(self) -> None:
        """Snakemake notices changes by its records; of results without one they are said here."""
        if DECIDED.intersection(sys.argv):
            return
        stale = {
            PRODUCTS[product].rule: None
            for product, of in self.handed_out()
            for path in self.outputs(product, of)
            if path.exists() and not _noticed(path) and not self._is_current(product, of, path)
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

        Args:
            rules: The rules that have something to do.

        Raises:
            AirshedError: Files that they read are missing.
        """
        if missing := self.missing(rules):
            raise AirshedError("files that the study names are missing", found=missing)
        for product, of in self.handed_out():
            self.settings(product, of)
            self.work(product, of)
        self._handed.write()
        write_json(
            self._kept,
            {
                "files": self._found,
                "trainings": [[*pair, str(path)] for pair, path in self.trainings.items()],
                "scores": [[*pair, str(path)] for pair, path in self.scores.items()],
            },
        )
        self._note_aliases()

    def _note_aliases(self) -> None:
        """Note the new times of files that were only touched, so that they are not hashed again."""
        for product, of in self._with_files():
            _, known, noted = self._looked_at(product, of)
            for path in self.outputs(product, of) if known.aliases else []:
                note = Note.beside(path)
                if note is not None:
                    note.files = {
                        name: known.listing.get(name, entry) for name, entry in noted.items()
                    }
                    note.write(path)


def _noticed(output: Path) -> bool:
    """Whether Snakemake knows of an output what it was made with, or that it is not complete.

    It keeps that in files that are called as the output is, in base64.
    """
    name = urlsafe_b64encode(str(output).encode()).decode()
    parts = [name[start : start + PART] for start in range(0, len(name), PART)]
    record = Path(*(f"@{part}" for part in parts[:-1]), parts[-1])
    return any((folder / record).exists() for folder in (RECORDS, INCOMPLETE))
