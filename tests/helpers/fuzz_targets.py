"""What is fuzzed: readers of files that come from elsewhere, each with its seeds.

A target takes any bytes and returns, or raises what no reader may raise. It needs no fuzzer: the
tests replay what fuzzers have found.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import raw_files as made
import yaml

from airshed.config import read_yaml, validate_study
from airshed.config.supplement import StationsConfig
from airshed.data import members
from airshed.data.archives import is_hour
from airshed.data.units import linear_conversion
from airshed.errors import AirshedError
from airshed.evaluation.stations.places import read_positions
from airshed.evaluation.stations.tables import read_table
from airshed.side_by_side.training_log import read_log
from airshed.variables import TARGETS as POLLUTANTS

ROOT = Path(__file__).resolve().parents[2]
SUFFIXES = (".tar.gz", ".tar", ".zip")
TABLE = (
    b"station,latitude,longitude,time,pollutant,value,units\n"
    b"A,30,100,2016-03-01T00:00Z,o3,5,ug/m3\n"
)
LOG = (
    "Epoch 0:  50%|█████     | 5/10 [03:20<03:20, 40.01s/it, v_num=1, train_loss=0.523]\r"
    "Epoch 0: 100%|██████████| 10/10 [06:40<00:00, 40.0s/it, train_loss=0.4, val_loss=0.45]\n"
).encode()
LIMITS = {"MAX_MEMBERS": 50, "MAX_MEMBER_BYTES": 2**18, "MAX_ARCHIVE_BYTES": 2**20}  # quickly met


def archive(data: bytes) -> None:
    """A daily archive; the first byte chooses its kind."""
    suffix = SUFFIXES[data[0] % len(SUFFIXES)] if data else ".tar"
    with suppress(AirshedError), patch.multiple(members, **LIMITS):
        for _ in members.read_members(_file(data[1:], f"a{suffix}"), is_hour):
            pass


def table(data: bytes) -> None:
    """A table of observations, and the same as a table of sites."""
    path = _file(data, "a.csv")
    for read in (lambda: read_table(path, SETTINGS, POLLUTANTS), lambda: read_positions(path)):
        with suppress(AirshedError):
            read()


def config(data: bytes) -> None:
    """A study's YAML."""
    with suppress(AirshedError):
        validate_study(read_yaml(_file(data, "a.yaml")), "fuzzed")


def log(data: bytes) -> None:
    """What a training printed."""
    with suppress(AirshedError):
        read_log(_file(data, "a.out"))


def unit(data: bytes) -> None:
    """A unit attribute."""
    with suppress(ValueError):
        linear_conversion(data.decode("utf-8", "replace"), "ug m-3")


TARGETS: dict[str, Callable[[bytes], None]] = {
    "archive": archive,
    "table": table,
    "config": config,
    "log": log,
    "unit": unit,
}
SETTINGS = StationsConfig(tables=["fuzzed"])
FOLDER = TemporaryDirectory(prefix="airshed-fuzz-")


def seeds(target: str) -> list[bytes]:
    """Right inputs, from which a fuzzer starts."""
    hour = {made.member(made.START): made.whole_hour(made.START)}
    if target == "archive":
        folder = Path(FOLDER.name)
        paths = [made.write_archive(folder / f"seed{suffix}", hour) for suffix in SUFFIXES]
        small = made.write_archive(folder / "small.tar", {made.member(made.START): b"x"})
        return [
            bytes([SUFFIXES.index("." + path.name.split(".", 1)[1])]) + path.read_bytes()
            for path in (*paths, small)
        ]
    if target == "config":
        tiny = read_yaml(ROOT / "tests/helpers/tiny_study.yaml")
        stanza = {"label": "x", "bias": {"kind": "barrier"}}
        return [yaml.safe_dump(tiny | {"variant_stanzas": {"a": stanza}}).encode()]
    return {
        "table": [TABLE, "监测点编码,纬度,经度,time,PM2.5\n1,2,3,20160301,4\n".encode()],
        "log": [LOG, b"0: " + LOG.replace(b"\r", b"\n"), b"\x1b[32m" + LOG],
        "unit": [b"ug m-3", b"kg m**-3", b"mg/m^3", b"10**-6 kg m-3"],
    }[target]


def _file(data: bytes, name: str) -> Path:
    path = Path(FOLDER.name) / name
    path.write_bytes(data)
    return path
