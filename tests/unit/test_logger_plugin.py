"""What `make demo` prints: a line for each step, from what Snakemake and the steps say."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

import snakemake_logger_plugin_airshed as plugin
from airshed.progress import LOG_LINE
from snakemake_logger_plugin_airshed.steps import Progress, Run, Step


@pytest.fixture
def handler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[plugin.LogHandler]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plugin, "LINE_EVERY_S", 0.05)
    settings = SimpleNamespace(verbose=False, dryrun=False)
    made = plugin.LogHandler(settings, None)  # type: ignore[arg-type]
    yield made
    made.close()


def say(
    handler: plugin.LogHandler, level: int = logging.INFO, msg: Any = None, **told: Any
) -> None:
    handler.emit(logging.makeLogRecord({"levelno": level, "msg": msg, **told}))


def printed(capsys: pytest.CaptureFixture[str], text: str) -> str:
    """What is printed until some text is, by a thread that speaks from time to time."""
    said, deadline = "", time.monotonic() + 60
    while text not in said and time.monotonic() < deadline:
        said += capsys.readouterr().err
        time.sleep(0.01)
    return said


def begin(handler: plugin.LogHandler, number: int, rule: str, **wildcards: str) -> None:
    job = {"rule_name": rule, "wildcards": wildcards, "log": [f"logs/{rule}.log"]}
    say(handler, event=LogEvent.JOB_INFO, jobid=number, **job)


def test_on_a_pipe_there_is_a_line_for_each_step_and_one_from_time_to_time(
    handler: plugin.LogHandler, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = {"ingest": 1, "train": 2, "all": 1, "total": 4}
    say(handler, event=LogEvent.RUN_INFO, stats=steps, msg="Job stats: ...")
    say(handler, msg="Select jobs to execute...")
    begin(handler, 3, "ingest")
    say(handler, event=LogEvent.SHELLCMD, msg="airshed ingest ...")
    say(handler, event=LogEvent.JOB_FINISHED, job_id=3)
    begin(handler, 1, "train", variant="wind", seed="0")
    begin(handler, 2, "train", variant="wind", seed="1")
    say(handler, event=LogEvent.JOB_FINISHED, job_id=1)
    said = printed(capsys, "train (variant wind, seed 1)")
    say(handler, event=LogEvent.JOB_FINISHED, job_id=2)
    begin(handler, 0, "all")
    say(handler, event=LogEvent.JOB_FINISHED, job_id=0)
    say(handler, msg="Complete log(s): /x.log")
    lines = (said + capsys.readouterr().err).splitlines()
    done = [line.split("  ")[0] for line in lines if "done in" in line]
    assert done == ["ingest", "train (variant wind, seed 0)", "train (variant wind, seed 1)"]
    assert next(line for line in lines if "3 of 3 steps" in line).endswith("3 of 3 steps")
    between = next(line for line in lines if line.startswith("train (variant wind, seed 1)"))
    assert "2 of 3 steps" in between
    assert lines[-1] == "Complete log(s): /x.log"
    assert not [line for line in lines if "Select" in line or "airshed ingest" in line]


def test_errors_are_shown_as_snakemake_words_them(
    handler: plugin.LogHandler, capsys: pytest.CaptureFixture[str]
) -> None:
    handler.setFormatter(logging.Formatter("as worded: %(message)s"))
    say(handler, event=LogEvent.RUN_INFO, stats={"train": 1})
    begin(handler, 1, "train")
    say(handler, logging.ERROR, "Command ...", event=LogEvent.ERROR, exception="RuleException")
    say(handler, logging.ERROR, "Error in rule train", event=LogEvent.JOB_ERROR, jobid=1)
    lines = printed(capsys, "0 of 1 steps\n").splitlines()
    assert [line for line in lines if "as worded" in line] == ["as worded: Error in rule train"]
    assert lines[-1] == "0 of 1 steps"  # it does not run any more


def test_verbose_shows_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = SimpleNamespace(verbose=True, dryrun=False)
    made = plugin.LogHandler(settings, None)  # type: ignore[arg-type]
    say(made, msg="Select jobs to execute...")
    made.close()
    assert capsys.readouterr().err == "Select jobs to execute...\n"


def step_with(folder: Path, log: str, rule: str = "ingest") -> Step:
    path = folder / "logs/step.log"
    path.parent.mkdir(exist_ok=True)
    path.write_text(log)
    return Step(rule, rule, path, started=time.time() - 30)


def test_a_step_is_as_far_as_its_log_says(tmp_path: Path) -> None:
    """In the words of airshed.progress; else as far as such steps are after that time."""
    told = {"desc": "days ingested", "n_fmt": "3", "total_fmt": "12"}
    line = LOG_LINE.format(**told, elapsed="00:20", remaining="01:05")
    found = step_with(tmp_path, f"something\n{line}").progress(median_s=1000)
    assert found.share == 0.25
    assert found.left_s == pytest.approx(65, abs=2)
    silent = step_with(tmp_path, "nothing that counts\n")
    usual = silent.progress(median_s=120)
    assert usual.share == pytest.approx(30 / 120, abs=0.02)
    assert usual.left_s == pytest.approx(90, abs=2)
    assert silent.progress(median_s=None) == Progress()


def test_a_training_is_as_far_as_it_tells_and_not_as_one_before_it(tmp_path: Path) -> None:
    step = step_with(tmp_path, "", rule="train")
    told = tmp_path / "progress.json"
    told.write_text(json.dumps({"step": 30, "steps": 120, "eta_s": 41.0}))
    assert step.progress(median_s=None) == Progress(0.25, 41.0)
    os.utime(told, (step.started - 60, step.started - 60))
    assert step.progress(median_s=None) == Progress()
    told.write_text(json.dumps({"step": None, "steps": None, "eta_s": None}))
    assert step.progress(median_s=None) == Progress()


def test_time_left_is_known_when_every_rule_that_is_left_has_been_timed(tmp_path: Path) -> None:
    """Two trainings of 100 s at a time, one of which has been running for 60 s, and a third."""
    run = Run(tmp_path)
    for name, seconds in (("train", 90), ("train_again", 110), ("evaluate", 10)):
        (tmp_path / "a/benchmarks").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"a/benchmarks/{name}.tsv").write_text(f"s\th:m:s\n{seconds}\t0:0\n")
    (tmp_path / "a/benchmarks/broken.tsv").write_text("s\n")
    run.plan({"train": 3, "evaluate": 3, "report": 1, "total": 7})
    assert (run.median_s("train"), run.median_s("evaluate")) == (100, 10)  # the median
    now = time.time()
    run.begin(1, Step("train", "one", None, started=now - 60))
    run.begin(2, Step("train", "two", None, started=now))
    assert run.left_s() is None  # nothing is known of the report
    assert run.counted == "0 of 7 steps"
    run.plan({"train": 3, "evaluate": 0, "total": 3})
    assert run.left_s() == pytest.approx((100 + 40 + 100) / 2, abs=1)
    run.finish(1)
    assert run.median_s("train") == pytest.approx(60, abs=1)  # as in this run
    assert run.finish(7) is None
