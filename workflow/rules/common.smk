# The validated study, the folders that follow from it, and what makes a step run again.

import atexit
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from shlex import quote

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.utils import min_version

from airshed.integrity.atomic import write_text
from airshed.check.chosen import checked_variant
from airshed.cluster.site import read_site
from airshed.config import dump_study, read_yaml, validate_study
from airshed.devices import Devices, devices_here
from airshed.errors import AirshedError
from airshed.evaluation import baselines
from airshed.garbage import look_rarely_for_garbage
from airshed.graph.places import FORECASTS
from airshed.graph.study import StudyGraph
from airshed.graph.user_files import files_of
from airshed.integrity.formats import check_folder, stamp_folder
from airshed.report import outline
from airshed.training.attempts import lacks_device_memory

min_version("9.0")
look_rarely_for_garbage()

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

DATA = f"{DATASET}/{STUDY.dataset.grid}"
CONFIG = f"{RESULTS}/config.resolved.yaml"
CHECK_LOG = f"{RESULTS}/logs/check.log"
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
# Raw data are an input where they are simulated. Files of the user are none: what counts is their
# content, which stands in params (airshed.graph), and a study has a graph before they are there.
SIMULATED = {"raw": RAW} if STUDY.dataset.source == "simulator" else {}
GRAPH = StudyGraph(STUDY, main=workflow.is_main_process)
if workflow.is_main_process:
    try:
        for line in GRAPH.notices():
            logger.info(f"airshed: {line}")
    except AirshedError as error:
        raise WorkflowError(str(error))


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


# Three params define what a command gets. `settings` is a file with what shapes its
# product; its name follows from its content, so that it changes with them and with nothing else.
# `files` stands for the user's files in the same way. `work` is a file with what its command needs
# beside that; Snakemake does not compare a param whose function takes the output.


def settings(product, wildcard=None):
    """The file with the settings that shape a product, of one variant if a wildcard names it."""
    if wildcard is None:
        return GRAPH.settings(product)
    return lambda wildcards: GRAPH.settings(product, getattr(wildcards, wildcard))


def files(product, wildcard=None):
    """What stands for the user's files that a product is made from."""
    if wildcard is None:
        return GRAPH.files(product)
    return lambda wildcards: GRAPH.files(product, getattr(wildcards, wildcard))


def work(product, wildcard=None):
    """The file with what else a command needs, on which its product does not depend."""

    def chosen(wildcards, output):
        return GRAPH.work(product, None if wildcard is None else getattr(wildcards, wildcard))

    return chosen


def uncompared(value):
    """A param that repeats nothing when it changes."""
    return lambda wildcards, output: value


def only(sources):
    """A constraint of the wildcard `variant` to pairs of variant and seed."""
    runs = "|".join(f"{re.escape(variant)}/seed{seed}" for variant, seed in sources)
    return f"(?=({runs})/)({'|'.join(map(re.escape, STUDY.variants))})"


def source_of(sources):
    """The option that names what is taken over; it repeats nothing."""

    def option(wildcards, output):
        return f"--take-over {quote(str(sources[wildcards.variant, int(wildcards.seed)]))}"

    return option


HANDED = "--config {params.settings:q} --config {params.work:q}"


def section_of(wildcards):
    """Title of the section of the report that a figure stands in, by the name of its file."""
    return outline.SECTIONS[outline.figure_kind(wildcards.figure).section]


def figure_captions():
    """The captions of all kinds of figures."""
    return {name: kind.caption for name, kind in outline.FIGURES.items()}


def start_of(wildcards):
    """The run whose weights another one starts from, if it starts from one."""
    before = STUDY.variant_stanzas[wildcards.variant].start_from
    return [] if before is None else [f"{RESULTS}/variants/{before}/seed{wildcards.seed}/run.json"]


def start_option(wildcards, input, output):
    """What the weights of a run start from: another run, a checkpoint of the user, or nothing."""
    pretrained = STUDY.variant_stanzas[wildcards.variant].pretrained
    paths = input.start if pretrained is None else [pretrained.checkpoint]
    return " ".join(f"--start {quote(str(path))}" for path in paths)


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


def scored_in(folder):
    """What an evaluation writes into a folder."""
    scores = {"scores": f"{folder}/scores.nc"}
    return scores | ({"supplement": directory(f"{folder}/supplement")} if SUPPLEMENTED else {})


# Of a study that keeps forecasts. They are asked for by name: an output that is new to a rule and
# that nobody asks for does not repeat it.
ARCHIVES = (
    expand(f"{RUN}/{FORECASTS}", variant=STUDY.variants, seed=STUDY.seeds)
    if STUDY.evaluation.save_forecasts
    else []
)


def archived_in(folder):
    """The forecasts of a network, if the study keeps them."""
    return {"forecasts": directory(f"{folder}/{FORECASTS}")} if ARCHIVES else {}


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


CHECKED = checked_variant(STUDY)  # its training is what `snakemake check` tries out


def requested(key):
    """What the `jobs` section gives the training of a variant, or of the one that is checked."""
    return lambda wildcards: getattr(STUDY.jobs.request(wildcards.get("variant", CHECKED)), key)


def if_parallel(value):
    """A resource of trainings with several processes; for all others it is not set."""

    def chosen(wildcards):
        request = STUDY.jobs.request(wildcards.get("variant", CHECKED))
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


def stop_once(number, frame):
    """The first Ctrl-C stops; a further one would break Snakemake off while its jobs save."""
    signal.signal(number, say_it_stops)
    signal.default_int_handler(number, frame)


def say_it_stops(number, frame):
    """Not by a logger: one that is interrupted cannot be called again before it has ended."""
    with suppress(OSError):  # nobody reads: Ctrl-C has ended `tee` too
        os.write(2, b"airshed: stopping; the jobs save what they have\n")


# What a site puts before each step: where its own `airshed` and its container lie.
shell.prefix(SITE.shell_prefix())


# Not a rule: its output would be an input of every step, and one changed key would repeat them
# all.
onstart:
    # Snakemake itself would lower what a rule asks for to what there is, without a word
    try:
        for name in STUDY.variants if workflow.local_exec else []:
            DEVICES.refuse_more(STUDY.jobs.request(name).devices, f"jobs.devices of {name}")
        GRAPH.begin({job.rule.name for job in workflow.dag.needrun_jobs()})
    except AirshedError as error:
        raise WorkflowError(str(error))
    if workflow.is_main_process:
        signal.signal(signal.SIGINT, stop_once)
    write_text(Path(CONFIG), dump_study(STUDY))
    for folder in (RESULTS, DATASET):
        stamp_folder(Path(folder))


def asked_for(rule):
    """Whether one of the rule's products is wanted, made before or not."""
    return any(job.rule.name == rule for job in workflow.dag.jobs)


def report_place():
    """Where the report lies."""
    return f"airshed: the report is {Path(RESULTS).resolve()}/report.html"


def say_nothing_was_to_be_done():
    """Say where the report lies after a run without a job, for which Snakemake calls no hook."""
    ran = workflow.scheduler is not None and not workflow.output_settings.quiet
    if ran and not len(workflow.dag) and asked_for("report"):
        print(report_place(), file=sys.stderr)


if workflow.is_main_process:
    atexit.register(say_nothing_was_to_be_done)


onsuccess:
    if asked_for("check"):
        logger.info(Path(CHECK_LOG).read_text(encoding="utf-8"))
    if workflow.is_main_process and asked_for("report"):
        logger.info(report_place())
