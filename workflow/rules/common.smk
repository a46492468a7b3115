# The validated study, the folders that follow from it, and what makes a step run again.

from glob import glob
from pathlib import Path
from shlex import quote

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version, validate

from airshed.atomic import write_text
from airshed.config import dump_study, validate_study
from airshed.errors import AirshedError

min_version("9.0")

try:
    STUDY = validate_study(config, where=", ".join(map(str, workflow.configfiles)))
except AirshedError as error:
    raise WorkflowError(str(error))

RESOLVED = STUDY.model_dump(mode="json")
validate(RESOLVED, "../schemas/config.schema.json", set_default=False)

RESULTS = f"results/{STUDY.study}"
DATASET = f"results/data/{STUDY.dataset.name}"
DATA = f"{DATASET}/{STUDY.dataset.grid}"
CONFIG = f"{RESULTS}/config.resolved.yaml"
RUN = f"{RESULTS}/variants/{{variant}}/seed{{seed}}"
BASELINES = ["persistence", "same_hour_persistence", "climatology", "ridge"]
EXTERNAL = f"{RESULTS}/external/{{external}}/scores.nc"
# A forecast that lacks samples does not compare with the others; it stands in external.csv alone.
COMPLETE = [
    EXTERNAL.format(external=name)
    for name, given in STUDY.external.items()
    if given.missing == "refuse"
]
RAW = f"{DATASET}/raw" if STUDY.dataset.source == "simulator" else STUDY.dataset.path
# What the hourly store depends on; the rest of the dataset's section enters with static fields.
AFTER_INGEST = {"elevation_file", "population_file", "mask_file", "min_coverage"}
INGEST_SETTINGS = {
    key: value for key, value in RESOLVED["dataset"].items() if key not in AFTER_INGEST
}


wildcard_constraints:
    variant="|".join(map(re.escape, STUDY.variants)),
    seed=r"\d+",
    baseline="|".join(BASELINES),
    external="|".join(map(re.escape, STUDY.external)) or "-",


def settings(*keys):
    """Parts of the resolved study; a step that names them in params runs again when they change."""
    return {key: RESOLVED[key] for key in keys}


def variant_settings(wildcards):
    """The stanza of the variant that is trained or evaluated."""
    return RESOLVED["variant_stanzas"][wildcards.variant]


def stanzas_of_study():
    """The stanzas of all variants of the study, by name."""
    return {name: RESOLVED["variant_stanzas"][name] for name in STUDY.variants}


def start_of(wildcards):
    """What the weights of a run start from: another variant's run, a checkpoint, or nothing."""
    stanza = STUDY.variant_stanzas[wildcards.variant]
    if stanza.start_from is not None:
        return [f"{RESULTS}/variants/{stanza.start_from}/seed{wildcards.seed}/run.json"]
    return [] if stanza.pretrained is None else [stanza.pretrained.checkpoint]


# What an evaluation reads and writes for stations and episodes, where the study has any.
OBSERVATIONS = f"{RESULTS}/stations/observations.nc"
OBSERVED = {} if STUDY.stations is None else {"observations": OBSERVATIONS}
VERIFIED = bool(OBSERVED or STUDY.episodes)
VERIFICATION_OPTIONS = " ".join(
    [
        *(["--observations {input.observations:q}"] if OBSERVED else []),
        *(["--verification {output.verification:q}"] if VERIFIED else []),
    ]
)


def scored_in(folder):
    """What an evaluation writes into a folder."""
    scores = {"scores": f"{folder}/scores.nc"}
    return scores | ({"verification": directory(f"{folder}/verification")} if VERIFIED else {})


def files_of(*patterns):
    """The files that patterns stand for, each in its order; a pattern of none stays as it is."""
    return [path for pattern in patterns for path in sorted(glob(pattern)) or [pattern]]


def external_files(wildcards):
    """The files of an external forecast."""
    return files_of(STUDY.external[wildcards.external].path)


def growing(amount):
    """A resource that is doubled with every retry."""
    return lambda wildcards, attempt: amount * 2 ** (attempt - 1)


# Not a rule: its output would be an input of every step, and one changed key would repeat them
# all. Each step states in its params which settings it depends on.
onstart:
    write_text(Path(CONFIG), dump_study(STUDY))
