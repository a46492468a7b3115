"""What ``make demo`` shows: one line for each step, with its progress and the time left.

A logger plugin of Snakemake (``snakemake --logger airshed``). On a terminal the steps that run are
drawn anew while they run; on a pipe there is a line when a step is done, and one a minute. Errors
and warnings are shown as Snakemake words them; everything else is in its log, which is named at the
end. With ``--verbose``, and in a dry run, all is shown as Snakemake itself shows it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from logging import WARNING, LogRecord
from pathlib import Path
from threading import Event, Thread
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_airshed.steps import Run, Step

RESULTS = Path("results")
LINE_EVERY_S = 60.0
SHOWN = ("airshed", "Nothing to be done", "Terminating", "Complete log")  # of plain messages
QUIET_RULES = ("all",)  # do no work of their own
JOB_FAILED = "RuleException"


class LogHandler(LogHandlerBase):
    """Shows a run, a line for each step."""

    def __post_init__(self) -> None:
        """Begin without steps: Snakemake plans after it has made its handlers."""
        self._run = Run(RESULTS)
        self._console = Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())
        self._live = Live(
            console=self._console,
            get_renderable=self._running,
            refresh_per_second=2,
            transient=True,
        )
        self._ended = Event()
        if not self._console.is_terminal:
            Thread(target=self._print_every_minute, daemon=True).start()

    writes_to_stream = True
    writes_to_file = False
    has_formatter = False
    needs_rulegraph = False

    @property
    def has_filter(self) -> bool:
        """Whether it chooses by itself what is shown."""
        return not (self.common_settings.verbose or self.common_settings.dryrun)

    def emit(self, record: LogRecord) -> None:
        """Handle one record of Snakemake's log."""
        event, fields = getattr(record, "event", None), record.__dict__
        if not self.has_filter:
            self._print(self.format(record))
        elif event is LogEvent.RUN_INFO:
            self._run.plan(fields["stats"])
        elif event is LogEvent.JOB_INFO and fields["rule_name"] not in QUIET_RULES:
            self._begin(fields)
        elif event is LogEvent.JOB_FINISHED:
            self._finish(fields["job_id"])
        elif fields.get("exception") == JOB_FAILED:
            return  # repeated, with its cause, when the job itself fails
        elif record.levelno >= WARNING:
            self._run.running.pop(fields.get("jobid", -1), None)
            self._print(self.format(record), style="red")
        elif event is None and str(record.msg).startswith(SHOWN):
            self._print(str(record.msg))

    def close(self) -> None:
        """Stop drawing."""
        self._ended.set()
        self._live.stop()
        super().close()

    def _begin(self, job: dict[str, Any]) -> None:
        rule, wildcards = job["rule_name"], job["wildcards"].items()
        words = ", ".join(f"{key} {value}" for key, value in wildcards)
        log = Path(job["log"][0]) if job["log"] else None
        self._run.begin(job["jobid"], Step(rule, f"{rule} ({words})" if words else rule, log))
        if self._console.is_terminal:
            self._live.start()

    def _finish(self, number: int) -> None:
        step = self._run.finish(number)
        if step is not None:
            took = clock(step.elapsed_s)
            self._print(f"{step.name:<50} done in {took:>7}   {self._run.counted}{self._left()}")

    def _left(self) -> str:
        left_s = self._run.left_s()
        return f", about {clock(left_s)} left" if left_s else ""

    def _print(self, text: str, style: str = "") -> None:
        self._console.print(text, style=style, markup=False)

    def _running(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for step in list(self._run.running.values()):
            now = step.progress(self._run.median_s(step.rule))
            bar = ProgressBar(
                total=1.0, completed=now.share or 0.0, pulse=now.share is None, width=20
            )
            left = "" if now.left_s is None else f"{clock(now.left_s)} left"
            table.add_row(step.name, bar, clock(step.elapsed_s), left)
        table.add_row(f"{self._run.counted}{self._left()}")
        return table

    def _print_every_minute(self) -> None:
        while not self._ended.wait(LINE_EVERY_S):
            self._print("; ".join([*self._words(), f"{self._run.counted}{self._left()}"]))

    def _words(self) -> Iterator[str]:
        """Each step that runs, in words."""
        for step in list(self._run.running.values()):
            now = step.progress(self._run.median_s(step.rule))
            share = "" if now.share is None else f" {now.share:.0%}"
            left = "" if now.left_s is None else f", {clock(now.left_s)} left"
            yield f"{step.name}{share} after {clock(step.elapsed_s)}{left}"


def clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    return str(timedelta(seconds=round(seconds)))
