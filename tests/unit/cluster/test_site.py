"""A site's settings: from a file, from the environment, and clearly refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from airshed.cluster.site import Site, read_site
from airshed.errors import AirshedError

ROOT = Path(__file__).resolve().parents[3]


def test_without_file_and_environment_nothing_is_particular(tmp_path: Path) -> None:
    site = read_site(tmp_path / "site.yaml", {})
    assert site == Site()
    assert site.gpus(4) == "gpu:4"
    assert site.shell_prefix() == ""


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("account: of_the_file\ntrain_partition: large\n")
    site = read_site(
        path, {"AIRSHED_ACCOUNT": "of_the_shell", "AIRSHED_GRES": "gpu:a100:{devices}"}
    )
    assert (site.account, site.train_partition) == ("of_the_shell", "large")
    assert site.gpus(8) == "gpu:a100:8"


def test_an_empty_file_means_defaults_and_a_plain_copy_of_the_example_is_refused(
    tmp_path: Path,
) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("# account: nobody\n")
    assert read_site(path, {}) == Site()
    example = (ROOT / "site.example.yaml").read_text(encoding="utf-8")
    (tmp_path / "site.example.yaml").write_text(example)
    path.write_text(example)
    with pytest.raises(AirshedError, match="those of the example") as caught:
        read_site(path, {})
    assert "account: project_465000001" in str(caught.value)


def test_the_sites_options_are_added_to_those_of_a_profile() -> None:
    site = Site.model_validate({"slurm_extra": "--mail-type=FAIL"})
    assert site.sbatch_options("--signal=USR1@120") == "'--signal=USR1@120 --mail-type=FAIL'"
    assert Site().sbatch_options() == "''"


def test_modules_and_lines_come_before_each_step() -> None:
    site = Site.model_validate({"modules": "gcc cuda", "before": ["export THERE=yes"]})
    module = 'module() { echo "$@ ${nothing}"; }; set -u; '
    command = module + site.shell_prefix() + "echo $THERE"
    said = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert said.stdout == "load gcc cuda \nyes\n"


def test_a_missing_account_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(AirshedError) as caught:
        read_site(tmp_path / "site.yaml", {}, needed=("account",))
    for part in ("'account'", "site.yaml", "site.example.yaml", "AIRSHED_ACCOUNT"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("acount: me\n", "did you mean 'account'"),
        ("gres: gpu\n", "gres"),
        ("account: [1]\n", "account"),
    ],
)
def test_a_wrong_site_file_is_one_message(tmp_path: Path, text: str, part: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(text)
    with pytest.raises(AirshedError, match="not valid") as caught:
        read_site(path, {})
    assert part in str(caught.value)


def test_the_prefix_is_shell_that_finds_the_sites_airshed_first(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "airshed").write_text('#!/bin/sh\necho "in $AIRSHED_CONTAINER: $*"\n')
    (folder / "airshed").chmod(0o755)
    site = Site(bin=str(folder), container="/images/it's here.sif")
    said = subprocess.run(
        ["bash", "-c", site.shell_prefix() + "airshed train"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "in /images/it's here.sif: train\n"


def test_the_template_is_valid_with_every_key() -> None:
    text = (ROOT / "site.example.yaml").read_text(encoding="utf-8")
    lines = [line.removeprefix("# ") for line in text.splitlines()]
    given = yaml.safe_load("\n".join(line for line in lines if line.split(":")[0].isidentifier()))
    assert given.keys() == Site.model_fields.keys()
    assert Site.model_validate(given).account == "project_465000001"
