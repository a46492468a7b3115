"""Independent tasks on this machine's cores, on jobs of a cluster, or on a given dask scheduler."""

from __future__ import annotations

import logging
import platform
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from multiprocessing import resource_tracker
from typing import Any, TypeVar
from urllib.parse import urlsplit

from airshed import __version__
from airshed.config.preprocessing import DaskConfig
from airshed.errors import AirshedError, brief
from airshed.progress import progress_bar

log = logging.getLogger(__name__)

Result = TypeVar("Result")
LOOPBACK = "127.0.0.1"
AHEAD = 2  # tasks submitted for each worker: one running, one waiting
CONNECT_S = 60


def run_tasks(
    function: Callable[..., Result],
    tasks: Sequence[tuple[Any, ...]],
    settings: DaskConfig,
    workers: int,
    what: str,
    done: int = 0,
) -> Iterator[Result]:
    """Call a function with each task's arguments, and yield results as they come.

    One local worker runs them in this process. Otherwise dask does, and its dashboard's address is
    logged. Only a few tasks for each worker are submitted at a time, so that memory does not grow
    with their number.

    Args:
        function: Importable by workers; arguments and results are pickled.
        tasks: Positional arguments of each call.
        settings: Where to run.
        workers: Tasks at a time, if on this machine.
        what: Label of the progress bar.
        done: Tasks that were done before, for the progress bar.

    Raises:
        AirshedError: The cluster cannot be reached; or whatever the function raises.
    """
    with progress_bar(what, total=len(tasks) + done, initial=done) as bar:
        for result in _results(function, tasks, settings, workers):
            bar.update()
            yield result


def _results(
    function: Callable[..., Result],
    tasks: Sequence[tuple[Any, ...]],
    settings: DaskConfig,
    workers: int,
) -> Iterator[Result]:
    if not tasks:
        return
    if settings.cluster == "local" and min(workers, len(tasks)) == 1:
        yield from (function(*arguments) for arguments in tasks)
        return
    with _client(settings, min(workers, len(tasks))) as client:
        yield from _few_at_a_time(client, function, tasks)


def _few_at_a_time(
    client: Any, function: Callable[..., Result], tasks: Iterable[tuple[Any, ...]]
) -> Iterator[Result]:
    from distributed import as_completed

    waiting = iter(tasks)
    running = max(1, sum(client.nthreads().values()))
    first = [
        client.submit(_outcome, function, *arguments, pure=False)
        for arguments in islice(waiting, AHEAD * running)
    ]
    futures = as_completed(first)
    for future in futures:
        result = future.result()
        if isinstance(result, AirshedError):
            raise result
        yield result
        future.release()
        for arguments in islice(waiting, 1):
            futures.add(client.submit(_outcome, function, *arguments, pure=False))


def _outcome(function: Callable[..., Any], *arguments: Any) -> Any:
    """A result or the user's error, returned: dask would log the traceback of what is raised."""
    try:
        return function(*arguments)
    except AirshedError as error:
        return error


@contextmanager
def _client(settings: DaskConfig, workers: int) -> Iterator[Any]:
    """A dask client; workers that it started end with it."""
    from distributed import Client  # takes a while

    logging.getLogger("distributed").setLevel(logging.ERROR)
    try:
        with (
            _cluster(settings, workers) as cluster,
            Client(cluster, timeout=CONNECT_S) as client,
        ):
            if settings.cluster == "slurm":
                log.info("waiting for the first of %d worker jobs", settings.jobs)
            client.wait_for_workers(1)
            _check_versions(client)
            log.info("dask dashboard: %s", _dashboard(client.dashboard_link, settings))
            yield client
    except (OSError, TimeoutError) as error:
        if settings.cluster != "scheduler":
            raise
        raise AirshedError(
            "the dask scheduler cannot be reached",
            where="preprocessing.address",
            expected="a running scheduler (dask scheduler) that workers have joined",
            found=f"{settings.address} ({brief(error)})",
            hint="start it, correct the address, or set preprocessing.cluster to local",
        ) from error


def _dashboard(link: str, settings: DaskConfig) -> str:
    """Where the dashboard is; dask gives the address of the scheduler, for workers elsewhere."""
    if settings.cluster != "slurm":
        return link
    port = urlsplit(link).port
    return f"http://{LOOPBACK}:{port}/status on {platform.node()} (ssh -L {port}:{LOOPBACK}:{port})"


def _check_versions(client: Any) -> None:
    """Workers that cannot import a task never answer."""
    workers = client.get_versions(packages=["airshed"])["workers"]
    found = {address: state["packages"]["airshed"] for address, state in workers.items()}
    if set(found.values()) != {__version__}:
        raise AirshedError(
            "dask workers have another version of this package, or none",
            where="preprocessing",
            expected=f"airshed {__version__} on every worker",
            found=", ".join(f"{version} at {address}" for address, version in found.items()),
            hint="start the workers from the environment in which this command runs",
        )


@contextmanager
def _cluster(settings: DaskConfig, workers: int) -> Iterator[Any]:
    if settings.cluster == "scheduler":
        yield settings.address
    elif settings.cluster == "local":
        from distributed import LocalCluster

        with _interrupts_blocked():
            started = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,  # threads would wait for the NetCDF library and each other
                host=LOOPBACK,
                silence_logs=logging.CRITICAL,  # a task's error comes back as itself
                dashboard_address=f"{LOOPBACK}:0",
                memory_limit=0,  # tasks hold little, and the job's own limit holds for all
            )
        with started as cluster:
            yield cluster
    else:
        from dask_jobqueue import SLURMCluster

        with SLURMCluster(
            cores=settings.cores_per_job,
            processes=settings.cores_per_job,
            memory=f"{settings.memory_per_job_gb}GB",
            walltime=f"{settings.runtime_min // 60:02d}:{settings.runtime_min % 60:02d}:00",
            queue=settings.queue,
            account=settings.account,
            scheduler_options={"dashboard_address": f"{LOOPBACK}:0"},  # workers have no need of it
        ) as cluster:
            cluster.scale(jobs=settings.jobs)
            yield cluster


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """A block whose new processes and threads do not receive Ctrl-C.

    A terminal sends it to all processes, and each would print a traceback; this one ends the others
    by itself. An interrupt within the block takes effect at its end.
    """
    resource_tracker.ensure_running()  # in Python 3.11 its start would let the signal through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
