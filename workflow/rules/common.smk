# The validated study, the folders that follow from it, and what makes a step run again.

import os
import signal
from glob import glob
from pathlib import Path
from shlex import quote

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version, validate

from airshed.integrity.atomic import write_text
from airshed.cluster.site import read_site
from airshed.config import dump_study, read_yaml, validate_study
from airshed.config.training import WITHOUT_INFLUENCE
from airshed.devices import Devices, devices_here
from airshed.errors import AirshedError
from airshed.evaluation import baselines
from airshed.integrity.formats import SCORES, check_folder, stamp_folder
from airshed.report import outline
from airshed.training.attempts import lacks_device_memory

min_version("9.0")

try:
    SITE = read_site()
    for path in workflow.configfiles:
        read_yaml(path)  # Snakemake's own reader lets a key stand there twice
    STUDY = validate_study(config, where=", ".join(map(str, workflow.configfiles)))
    RESULTS = f"results/{STUDY.study}"
    DATASET = f"results/data/{STUDY.dataset.name}"
    for folder in (RESULTS, DATASET):
        check_folder(Path(folder))
except AirshedError as error:
    raise WorkflowError(str(error))

RESOLVED = STUDY.model_dump(mode="json")
validate(RESOLVED, "../schemas/config.schema.json", set_default=False)

DATA = f"{DATASET}/{STUDY.dataset.grid}"
CONFIG = f"{RESULTS}/config.resolved.yaml"
RUN = f"{RESULTS}/variants/{{variant}}/seed{{seed}}"
BASELINES = list(baselines.BASELINES)
EXTERNAL = f"{RESULTS}/external/{{external}}/scores.nc"
# A forecast that lacks samples does not compare with the others; it stands in external.csv alone.
COMPLETE = [
    EXTERNAL.format(external=name)
    for name, given in STUDY.external.items()
    if given.missing == "refuse"
]
RAW = f"{DATASET}/raw" if STUDY.dataset.source == "simulator" else STUDY.dataset.path
# What the hourly store depends on; the rest of the dataset's section enters with static fields.
AFTER_INGEST = ("elevation_", "population_", "static_crs", "mask_file", "min_coverage")
INGEST_SETTINGS = {
    key: value for key, value in RESOLVED["dataset"].items() if not key.startswith(AFTER_INGEST)
}


# Devices of this machine, for jobs that run on it: each has as many slots as it uses devices, and the
# command itself takes locks of as many. What is sent to a cluster counts none of them.
DEVICES = devices_here() if STUDY.train.accelerator != "cpu" else Devices(())
if DEVICES.ids and workflow.is_main_process:
    workflow.register_resource("slots", len(DEVICES.ids))


resource_scopes:
    slots="local",


wildcard_constraints:
    variant="|".join(map(re.escape, STUDY.variants)),
    seed=r"\d+",
    horizon_h="|".join(map(str, STUDY.horizons_h)),
    baseline="|".join(BASELINES),
    external="|".join(map(re.escape, STUDY.external)) or "-",


def settings(*keys):
    """Parts of the resolved study; a step that names them in params runs again when they change."""
    return {key: RESOLVED[key] for key in keys}


def training_settings():
    """What shapes the weights of every variant."""
    train = {
        key: RESOLVED["train"][key] for key in RESOLVED["train"] if key not in WITHOUT_INFLUENCE
    }
    return settings("dataset", "splits", "horizons_h", "normalisation", "model") | {"train": train}


def variant_settings(wildcards):
    """What of its stanza shapes a variant's weights; label and reference belong to the report."""
    stanza = RESOLVED["variant_stanzas"][wildcards.variant]
    return {key: value for key, value in stanza.items() if key not in ("label", "reference")}


def compared_settings():
    """What the report reads of the stanzas: who is compared with whom, under which name."""
    stanzas = {name: RESOLVED["variant_stanzas"][name] for name in STUDY.variants}
    return {name: (stanza["label"], stanza["reference"]) for name, stanza in stanzas.items()}


def section_of(wildcards):
    """Title of the section of the report that a figure stands in, by the name of its file."""
    return outline.SECTIONS[outline.figure_kind(wildcards.figure).section]


def figure_captions():
    """The captions of all kinds of figures."""
    return {name: kind.caption for name, kind in outline.FIGURES.items()}


def cost_settings():
    """What the cost of a step depends on, and how many steps there are."""
    keys = ("backbone", "scan", "bias", "reference", "precision")
    stanzas = {name: RESOLVED["variant_stanzas"][name] for name in STUDY.variants}
    measured = {name: {key: stanza[key] for key in keys} for name, stanza in stanzas.items()}
    return training_settings() | settings("seeds") | {"variants": measured}


def start_of(wildcards):
    """What the weights of a run start from: another variant's run, a checkpoint, or nothing."""
    stanza = STUDY.variant_stanzas[wildcards.variant]
    if stanza.start_from is not None:
        return [f"{RESULTS}/variants/{stanza.start_from}/seed{wildcards.seed}/run.json"]
    return [] if stanza.pretrained is None else [stanza.pretrained.checkpoint]


# What an evaluation reads and writes for stations and episodes, where the study has any.
OBSERVATIONS = f"{RESULTS}/stations/observations.nc"
OBSERVED = {} if STUDY.stations is None else {"observations": OBSERVATIONS}
SUPPLEMENTED = bool(OBSERVED or STUDY.episodes)
SUPPLEMENT_OPTIONS = " ".join(
    [
        *(["--observations {input.observations:q}"] if OBSERVED else []),
        *(["--supplement {output.supplement:q}"] if SUPPLEMENTED else []),
    ]
)


def scoring_settings():
    """What shapes scores, and the format that they are kept in: with another they are made again."""
    shaping = settings("splits", "horizons_h", "evaluation", "episodes")
    return shaping | {"format": SCORES.version}


def scored_in(folder):
    """What an evaluation writes into a folder."""
    scores = {"scores": f"{folder}/scores.nc"}
    return scores | ({"supplement": directory(f"{folder}/supplement")} if SUPPLEMENTED else {})


def files_of(*patterns):
    """The files that patterns stand for, each in its order; a pattern of none stays as it is."""
    return [path for pattern in patterns for path in sorted(glob(pattern)) or [pattern]]


def external_files(wildcards):
    """The files of an external forecast."""
    return files_of(STUDY.external[wildcards.external].path)


def growing(amount, most=None):
    """A resource that is doubled with every retry, up to what the site has.

    The amount may depend on the wildcards. One that is above the site's most is left as it is,
    and SLURM says what is wrong.
    """

    def grown(wildcards, attempt):
        first = amount(wildcards) if callable(amount) else amount
        doubled = first * 2 ** (attempt - 1)
        return doubled if most is None else max(first, min(doubled, most))

    return grown


def memory(amount_mb):
    """Memory of a job, for mem_mb."""
    return growing(amount_mb, SITE.max_mem_mb)


def training_memory(wildcards, attempt):
    """Memory of a training: a retry for want of the device's memory does not ask for more of it."""
    record = Path(f"{RUN}/checkpoints/attempts.json".format(**wildcards))
    counted = 1 if lacks_device_memory(record) else attempt
    return memory(requested("mem_mb"))(wildcards, counted)


def minutes(amount):
    """Time limit of a job, for runtime."""
    return growing(amount, SITE.max_runtime_min)


def requested(key):
    """What the `jobs` section gives the training of a variant."""
    return lambda wildcards: getattr(STUDY.jobs.request(wildcards.variant), key)


def if_parallel(value):
    """A resource of trainings with several processes; for all others it is not set."""

    def chosen(wildcards):
        request = STUDY.jobs.request(wildcards.variant)
        return None if request.processes == 1 else value(request)

    return chosen


def slots(devices):
    """What a job takes of this machine's devices; not set where it uses none."""

    def taken(wildcards):
        if not DEVICES.ids:
            return None
        return devices(wildcards) if callable(devices) else devices

    return taken


def gpus(devices):
    """The site's way to ask SLURM for devices on each node; not set in a study on CPUs."""

    def asked(wildcards):
        if STUDY.train.accelerator == "cpu":
            return None
        return SITE.gpus(devices(wildcards) if callable(devices) else devices)

    return asked


def launch(wildcards, resources):
    """What starts the processes of a training: srun inside a job, nothing for a single process.

    It follows from the resources, so that Snakemake does not take another number of devices for
    another training.
    """
    tasks = resources.get("tasks", 1)
    if tasks == 1 or "SLURM_JOB_ID" not in os.environ:
        return ""
    return (
        f"srun --nodes={resources.nodes} --ntasks={tasks}"
        f" --ntasks-per-node={resources.devices} --cpus-per-task={resources.cpus_per_task}"
        " --kill-on-bad-exit=1 "
    )


# SLURM's warning before the time limit reaches every process of a job step. It is meant for the
# training, which saves and stops; the snakemake around it waits for that.
signal.signal(signal.SIGUSR1, signal.SIG_IGN)

# What a site puts before each step: where its own `airshed` and its container lie.
shell.prefix(SITE.shell_prefix())


# Not a rule: its output would be an input of every step, and one changed key would repeat them
# all. Each step states in its params which settings it depends on.
onstart:
    # Snakemake itself would lower what a rule asks for to what there is, without a word
    for name in STUDY.variants if workflow.local_exec else []:
        try:
            DEVICES.refuse_more(STUDY.jobs.request(name).devices, f"jobs.devices of {name}")
        except AirshedError as error:
            raise WorkflowError(str(error))
    write_text(Path(CONFIG), dump_study(STUDY))
    for folder in (RESULTS, DATASET):
        stamp_folder(Path(folder))
