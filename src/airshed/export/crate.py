"""A Workflow Run RO-Crate of a study: the workflow, its configuration, and what came out.

Profile: https://w3id.org/ro/wfrun/workflow/0.5, written with the library ``rocrate``. Snakemake's
own plugin for such crates (``snakemake-report-plugin-rocrate``) describes jobs and the files that
rules declare, on the machine where they ran; the model cards, verdicts and checksums, for which a
study is exported, it does not know.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rocrate.model.computationalworkflow import ComputationalWorkflow
from rocrate.model.contextentity import ContextEntity
from rocrate.model.file import File
from rocrate.rocrate import ROCrate

from airshed.config import Study
from airshed.errors import AirshedError
from airshed.export.card import model_card
from airshed.graph.places import Places
from airshed.integrity.crate import CHECKSUMS, write_crate
from airshed.integrity.formats import MANIFEST, read_json
from airshed.integrity.manifest import NAME, NUMBERS
from airshed.integrity.provenance import tree_files
from airshed.integrity.verify import project_of, verify_study
from airshed.report.loading import load_results

VERSION = "1.1"  # of RO-Crate, on which the profiles below stand
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
TERMS = "https://w3id.org/ro/terms/workflow-run/context"
SNAKEFILE, CONFIG = "Snakefile", "config.resolved.yaml"
WORKFLOW = ("workflow", "config", "envs")
TYPES = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".tex": "application/x-tex",
    ".yaml": "application/yaml",
}
"""What of the results travels: what people and programs read without Airshed."""
WEIGHTS = ".ckpt"
TEXT, BYTES = "text/plain", "application/octet-stream"
LICENCE = "not chosen for the results; the workflow is under Apache-2.0"


def export_study(
    study: Study, results: Path, target: Path, licence: str = LICENCE, weights: bool = False
) -> str:
    """Write a finished study into a zip file.

    Args:
        study: The study.
        results: Its folder.
        target: The zip file.
        licence: Under which the results are given away: a URL, or words.
        weights: Whether the trained networks go with it.

    Returns:
        The checksum that stands for all of it, see :func:`airshed.integrity.crate.verify_crate`.

    Raises:
        AirshedError: The study is not finished, or not what its manifest says.
    """
    verify_study(results, with_inputs=False)
    manifest = read_json(results / NAME, MANIFEST)
    project = project_of(results, manifest)
    if not (project / SNAKEFILE).is_file():
        raise AirshedError(
            "a study is exported with the workflow that made it, which is not there",
            where=project,
            expected=f"{SNAKEFILE} and the folders {', '.join(WORKFLOW)}",
            hint="export it in the project's folder",
        )
    crate = ROCrate(version=VERSION, gen_preview=True)
    finished = datetime.fromtimestamp((results / NAME).stat().st_mtime, UTC)
    _describe(crate, study, licence, finished)
    workflow = _add_workflow(crate, project, manifest)
    suffixes = {*TYPES, *([WEIGHTS] if weights else [])}
    names = [name for name in manifest["outputs"] if Path(name).suffix in suffixes]
    made = {name: _add_file(crate, project / name, name) for name in names}
    _add_file(crate, results / NAME, f"{manifest['results']}/{NAME}")
    cards = list(_add_cards(crate, study, results))
    given = made.pop(f"{manifest['results']}/{CONFIG}")
    _add_parameters(crate, workflow, given, made)
    properties = {
        "name": f"study {study.study}",
        "description": "Data are prepared, variants trained, scored and compared.",
        "endTime": finished.isoformat(timespec="seconds"),
    }
    run = crate.add_action(workflow, "#run", given, [*made.values(), *cards], properties)
    crate.root_dataset["mentions"] = run
    listed = {"name": "SHA-256 of all other files", "encodingFormat": TEXT}
    crate.add_file(io.StringIO(), CHECKSUMS, properties=listed)
    with TemporaryDirectory() as folder:
        crate.write(folder)
        return write_crate(Path(folder), target)


def _describe(crate: ROCrate, study: Study, licence: str, finished: datetime) -> None:
    """The crate as a whole: name, date, licence, and the profiles that it follows."""
    simulated = study.dataset.data_source == "simulated"
    source = "; on simulated data, which say nothing about the real atmosphere" if simulated else ""
    crate.name = f"Airshed study {study.study}"
    crate.description = (
        f"Variants {', '.join(study.variants)} of a forecasting transformer, trained with"
        f" {len(study.seeds)} seeds on {study.dataset.name}, scored and compared{source}"
    )
    crate.datePublished = finished
    crate.license = licence
    crate.keywords = ["air quality", "ablation study", *(["simulated data"] * simulated)]
    crate.root_dataset["conformsTo"] = [
        crate.add(
            ContextEntity(
                crate,
                url,
                {"@type": "CreativeWork", "name": name, "version": url.rsplit("/", 1)[1]},
            )
        )
        for url, name in PROFILES.items()
    ]
    crate.metadata.extra_contexts.append(TERMS)


def _add_workflow(
    crate: ROCrate, project: Path, manifest: Mapping[str, Any]
) -> ComputationalWorkflow:
    """The workflow, and the libraries that the results were made with."""
    versions = dict(manifest["versions"])
    commit = f"{manifest['commit']}{' with local changes' if manifest['dirty'] else ''}"
    workflow = crate.add_workflow(
        project / SNAKEFILE,
        SNAKEFILE,
        main=True,
        lang="snakemake",
        lang_version=versions.get("snakemake"),
        properties={"name": "Airshed", "version": commit, "license": "Apache-2.0"},
    )
    workflow["softwareRequirements"] = [
        crate.add(
            ContextEntity(
                crate,
                f"#{name}",
                {"@type": "SoftwareApplication", "name": name, "softwareVersion": version},
            )
        )
        for name, version in versions.items()
    ]
    for folder in WORKFLOW:
        for path in tree_files(project / folder):
            if "__pycache__" not in path.parts:
                _add_file(crate, path, path.relative_to(project).as_posix())
    return workflow


def _add_file(crate: ROCrate, path: Path, name: str) -> File:
    kind = TYPES.get(path.suffix, BYTES if path.suffix == WEIGHTS else TEXT)
    return crate.add_file(path, name, record_size=True, properties={"encodingFormat": kind})


def _add_cards(crate: ROCrate, study: Study, results: Path) -> Iterator[File]:
    """A model card for each variant."""
    found = load_results(study, results, Places(study, results.parent).data)
    for variant in study.variants:
        text = io.StringIO(model_card(found, variant))
        properties = {"name": f"Model card of {variant}", "encodingFormat": TYPES[".md"]}
        yield crate.add_file(text, f"model-cards/{variant}.md", properties=properties)


def _add_parameters(
    crate: ROCrate, workflow: ComputationalWorkflow, given: File, made: Mapping[str, File]
) -> None:
    """What goes into the workflow and comes out of it, as far as names distinguish it."""
    tables = {name: file for name, file in made.items() if Path(name).name in NUMBERS}
    for key, files in (("input", {CONFIG: given}), ("output", tables)):
        for name, file in files.items():
            parameter = crate.add(
                ContextEntity(
                    crate,
                    f"#{key}-{Path(name).stem}",
                    {
                        "@type": "FormalParameter",
                        "additionalType": "File",
                        "name": Path(name).stem,
                        "encodingFormat": TYPES[Path(name).suffix],
                    },
                )
            )
            workflow.append_to(key, parameter)
            file["exampleOfWork"] = parameter
