"""The plugin that `make demo` prints with, as Snakemake finds and uses it."""

from __future__ import annotations

from pathlib import Path

from workflow_runs import Run, snakemake_in, with_stand_in

RULES = ("simulate", "ingest", "static_fields")


def test_it_prints_a_line_for_each_step_and_names_the_full_log(tmp_path: Path) -> None:
    folder = with_stand_in(tmp_path / "demo")
    Run(folder).configure({})
    targets = ["ingest", "static_fields"]
    given = ("--cores", "2", "--configfile", "tiny.yaml", "--logger", "airshed", "--", *targets)
    done = snakemake_in(folder)(*given)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) <= len(RULES) + 2  # and Snakemake's word on profiles
    for number, (rule, line) in enumerate(zip(RULES, lines[-4:-1], strict=True), start=1):
        assert line.startswith(f"{rule} ")
        assert f"{number} of 3 steps" in line
    full = Path(lines[-1].removeprefix("Complete log(s): ")).read_text()
    assert "localrule ingest:" in full
    assert "Shell command: MALLOC_ARENA_MAX=1 airshed ingest" in full
