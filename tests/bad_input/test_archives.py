"""Daily archives in which something is wrong, through ``airshed ingest`` and ``inspect``."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
import raw_files as made
from made_study import ingest_command, write_study
from refusals import airshed, refused

from airshed.data import members

FIRST = made.member(made.START)
TAR_GZ, TAR, ZIP = (f"CN-Reanalysis20160301{suffix}" for suffix in (".tar.gz", ".tar", ".zip"))
DAMAGED = "an archive is damaged or cannot be read"
UNSAFE = "an archive holds an unsafe member"
NOT_OF_DAY = "an archive holds no hour of the day that is in its name"
LIMIT = 100_000  # in place of the real ones, which would take long to reach


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study"))


@cache
def three_hours() -> dict[str, bytes]:
    times = [made.START + timedelta(hours=hour) for hour in range(3)]
    return {made.member(time): made.whole_hour(time) for time in times}


def tar(files: Mapping[str, bytes], mode: str = "w") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


@cache
def whole(mode: str = "w:gz") -> bytes:
    return tar(three_hours(), mode)


def zipped(files: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def special(kind: bytes, target: str = "") -> bytes:
    """A tar with a member that is no file."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        info = tarfile.TarInfo(FIRST)
        info.type, info.linkname = kind, target
        archive.addfile(info)
    return stream.getvalue()


def zip_with_mode(mode: int) -> bytes:
    stream, info = io.BytesIO(), zipfile.ZipInfo(FIRST)
    info.external_attr = mode << 16
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(info, "/etc/hostname")
    return stream.getvalue()


def encrypted() -> bytes:
    """A zip whose flags say that its members are encrypted."""
    content = bytearray(zipped(three_hours()))
    for start, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(start)
        while at >= 0:
            content[at + flags] |= 1
            at = content.find(start, at + 4)
    return bytes(content)


def unknown_compression() -> bytes:
    content = bytearray(zipped(three_hours()))
    for start, method in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        at = content.find(start)
        while at >= 0:
            content[at + method : at + method + 2] = struct.pack("<H", 99)
            at = content.find(start, at + 4)
    return bytes(content)


def flipped(content: bytes, share: float) -> bytes:
    at = int(len(content) * share)
    return content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :]


def another_value() -> bytes:
    """A value of PM10 that differs in its last digits: only the checksum of the gzip tells."""
    field = made.hour_fields(made.START)["pm10"][1].tobytes()
    content = whole("w")
    assert content.count(field) == 1
    stored = gzip.compress(content, 0)  # not compressed, but with a checksum
    return stored.replace(field, bytes([field[0] ^ 1]) + field[1:])


def cut_in_second_header() -> bytes:
    """A tar that ends in the middle of the header after the first member."""
    size = len(three_hours()[FIRST])
    return whole("w")[: 512 + -(-size // 512) * 512 + 100]


def header_damaged() -> bytes:
    """A tar whose second header has another checksum: tarfile would take it for the end."""
    at = len(cut_in_second_header()) - 100
    return whole("w")[: at + 10] + b"\xff" + whole("w")[at + 11 :]


def negative_size() -> bytes:
    content = bytearray(whole("w"))
    content[124:136] = b"\xff" * 12  # base 256, below zero
    content[148:156] = b" " * 8
    content[148:156] = b"%06o\0 " % sum(content[:512])
    return bytes(content)


def long_header() -> bytes:
    """A pax header that claims two megabytes, more than any list of attributes takes."""
    info = tarfile.TarInfo("attributes")
    info.type, info.size = tarfile.XHDTYPE, 2 * 2**20
    return info.tobuf(tarfile.USTAR_FORMAT) + b"a" * info.size


def behind_the_end() -> bytes:
    return gzip.compress(whole("w") + b"\0" * 2 * LIMIT)


def next_day() -> bytes:
    time = made.START + timedelta(days=1)
    return tar({made.member(time): made.whole_hour(time)}, "w:gz")


Case = tuple[str, Callable[[], bytes], str, str]
CASES: dict[str, Case] = {
    # not whole
    "an empty file": (TAR_GZ, lambda: b"", DAMAGED, "empty"),
    "an empty zip": (ZIP, lambda: b"", DAMAGED, "not a zip"),
    "a tar without members": (TAR, lambda: tar({}), NOT_OF_DAY, "CN-Reanalysis2016030100.nc"),
    "a zip without members": (ZIP, lambda: zipped({}), NOT_OF_DAY, "CN-Reanalysis2016030100.nc"),
    "cut after 5 bytes": (TAR_GZ, lambda: whole()[:5], DAMAGED, "Error"),
    "cut at a third": (TAR_GZ, lambda: whole()[: len(whole()) // 3], DAMAGED, "end"),
    "cut at two thirds": (TAR_GZ, lambda: whole()[: 2 * len(whole()) // 3], DAMAGED, "end"),
    "cut in the checksum": (TAR_GZ, lambda: whole()[:-4], DAMAGED, "end"),
    "a tar cut in a member": (TAR, lambda: whole("w")[:9000], DAMAGED, "unexpected end"),
    "a tar cut in a header": (TAR, cut_in_second_header, DAMAGED, "truncated header"),
    "a tar cut between members": (TAR, lambda: cut_in_second_header()[:-100], DAMAGED, "empty"),
    "an xz cut": (TAR, lambda: whole("w:xz")[:-600], DAMAGED, "end"),
    "a bz2 cut": (TAR, lambda: whole("w:bz2")[:-600], DAMAGED, "end"),
    "a zip cut in its list": (ZIP, lambda: zipped(three_hours())[:-30], DAMAGED, "zip"),
    "a zip cut in the middle": (ZIP, lambda: zipped(three_hours())[:5000], DAMAGED, "zip"),
    # changed
    "another value in a gzip": (TAR_GZ, another_value, DAMAGED, "CRC"),
    "another checksum of a gzip": (
        TAR_GZ,
        lambda: whole()[:-8] + b"\0\0\0\0" + whole()[-4:],
        DAMAGED,
        "CRC",
    ),
    "another header of a tar": (TAR, header_damaged, DAMAGED, "checksum"),
    "another bit in a zip": (
        ZIP,
        lambda: flipped(zipped(three_hours(), zipfile.ZIP_STORED), 0.2),
        DAMAGED,
        "CRC",
    ),
    "a size below zero": (TAR, negative_size, DAMAGED, "-1 bytes"),
    # something else
    "text": (TAR_GZ, lambda: b"not an archive", DAMAGED, "not a gzip"),
    "a page of HTML": (ZIP, lambda: b"<html><body>Log in</body></html>", DAMAGED, "not a zip"),
    "a NetCDF file": (TAR_GZ, lambda: three_hours()[FIRST], DAMAGED, "ReadError"),
    "a gzip of a NetCDF file": (
        TAR_GZ,
        lambda: gzip.compress(three_hours()[FIRST]),
        DAMAGED,
        "ReadError",
    ),
    "a bz2 of text": (TAR, lambda: bz2.compress(b"text"), DAMAGED, "ReadError"),
    "an xz of text": (TAR, lambda: lzma.compress(b"text"), DAMAGED, "ReadError"),
    "a zip called tar.gz": (TAR_GZ, lambda: zipped(three_hours()), DAMAGED, "ReadError"),
    "a tar.gz called zip": (ZIP, whole, DAMAGED, "not a zip"),
    "an encrypted zip": (ZIP, encrypted, DAMAGED, "encrypted"),
    "an unknown compression": (ZIP, unknown_compression, DAMAGED, "compression"),
    # names
    "names of another kind": (
        TAR_GZ,
        lambda: tar({"pm25.nc": b"x", "README": b"x"}, "w:gz"),
        NOT_OF_DAY,
        "CN-Reanalysis2016030100.nc",
    ),
    "the names of another day": (TAR_GZ, next_day, NOT_OF_DAY, "CN-Reanalysis2016030100.nc"),
    "an archive inside the archive": (
        TAR,
        lambda: tar({TAR_GZ: whole()}),
        NOT_OF_DAY,
        "CN-Reanalysis2016030100.nc",
    ),
    "an hour 24": (
        ZIP,
        lambda: zipped({"CN-Reanalysis2016030124.nc": b""}),
        "a file name holds no valid time",
        "2016030124",
    ),
    "a day 30 of February": (
        TAR,
        lambda: tar({"CN-Reanalysis2016023000.nc": b""}),
        "a file name holds no valid time",
        "2016023000",
    ),
    # paths
    "a path upwards": (TAR, lambda: tar({f"../{FIRST}": b""}), UNSAFE, "../CN"),
    "a path upwards within": (TAR, lambda: tar({f"a/../../{FIRST}": b""}), UNSAFE, "a/../../CN"),
    "a path upwards in a zip": (ZIP, lambda: zipped({f"../{FIRST}": b""}), UNSAFE, "../CN"),
    "a path upwards of Windows": (TAR, lambda: tar({f"..\\{FIRST}": b""}), UNSAFE, "..\\CN"),
    "an absolute path": (TAR, lambda: tar({f"/etc/{FIRST}": b""}), UNSAFE, "/etc/CN"),
    "an absolute path in a zip": (ZIP, lambda: zipped({f"/{FIRST}": b""}), UNSAFE, "/CN"),
    "a path with a drive": (ZIP, lambda: zipped({f"C:\\{FIRST}": b""}), UNSAFE, "C:"),
    "a path of a network": (TAR, lambda: tar({f"\\\\host\\a\\{FIRST}": b""}), UNSAFE, "host"),
    # no files
    "a symbolic link": (TAR, lambda: special(tarfile.SYMTYPE, "/etc/hostname"), UNSAFE, FIRST),
    "a hard link": (TAR, lambda: special(tarfile.LNKTYPE, "other"), UNSAFE, FIRST),
    "a character device": (TAR, lambda: special(tarfile.CHRTYPE), UNSAFE, FIRST),
    "a block device": (TAR, lambda: special(tarfile.BLKTYPE), UNSAFE, FIRST),
    "a pipe": (TAR, lambda: special(tarfile.FIFOTYPE), UNSAFE, FIRST),
    "a link in a zip": (ZIP, lambda: zip_with_mode(0o120777), UNSAFE, FIRST),
    "a device in a zip": (ZIP, lambda: zip_with_mode(0o020644), UNSAFE, FIRST),
    # bombs, with limits that are quickly reached
    "a large member": (
        TAR_GZ,
        lambda: tar({FIRST: bytes(2 * LIMIT)}, "w:gz"),
        "a member that is too large",
        "200,000 bytes",
    ),
    "a large member of a zip": (
        ZIP,
        lambda: zipped({FIRST: bytes(2 * LIMIT)}),
        "a member that is too large",
        "200,000 bytes",
    ),
    "much in small members": (
        TAR_GZ,
        lambda: tar({f"{n}": bytes(LIMIT) for n in range(5)}, "w:gz"),
        "an archive is too large for a day",
        "500,000 bytes",
    ),
    "many members": (
        TAR,
        lambda: tar({f"{n}": b"" for n in range(60)}),
        "too many members",
        "at most 50 members",
    ),
    "much behind the end": (TAR_GZ, behind_the_end, "too large for a day", "at most 400,000"),
    "a header of megabytes": (TAR, long_header, DAMAGED, "a header of 2097152 bytes"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_archive_is_refused_and_named(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    name, make, what, found = CASES[case]
    monkeypatch.setattr(members, "MAX_MEMBER_BYTES", LIMIT)
    monkeypatch.setattr(members, "MAX_ARCHIVE_BYTES", 4 * LIMIT)
    monkeypatch.setattr(members, "MAX_MEMBERS", 50)
    raw, out = tmp_path / "raw", tmp_path / "out"
    raw.mkdir()
    out.mkdir()
    (raw / name).write_bytes(make())
    refused(tmp_path, ingest_command(study, raw, out), raw / name, what, found)
    code, said = airshed("inspect", raw, "--config", study, "--all")
    assert code == 1
    assert what in said
    assert str(raw / name) in said


def test_what_the_cases_change_is_a_whole_archive(study: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    for name, content in ((TAR_GZ, whole()), (TAR, whole("w:xz")), (ZIP, zipped(three_hours()))):
        (raw / name).write_bytes(content)
        code, said = airshed(*ingest_command(study, raw, tmp_path / name / "out"))
        assert code == 0, said
        (raw / name).unlink()


def test_what_a_mac_puts_beside_files_is_skipped_with_a_warning(
    study: Path, tmp_path: Path
) -> None:
    """In archives of both kinds, and beside them."""
    beside = b"\0\5\x16\7" + bytes(100)
    hours = three_hours()
    in_tar = {f"./{prefix}{name}": hours[name] if not prefix else beside
              for name in hours for prefix in ("._", "")}  # fmt: skip
    in_zip = hours | {f"__MACOSX/._{name}": beside for name in hours}
    for name, content in ((TAR_GZ, tar(in_tar, "w:gz")), (ZIP, zipped(in_zip))):
        raw = tmp_path / name / "raw"
        raw.mkdir(parents=True)
        (raw / name).write_bytes(content)
        (raw / f"._{name}").write_bytes(beside)
        code, said = airshed(*ingest_command(study, raw, tmp_path / name / "out"))
        assert code == 0, said
        assert f"{raw / name}: skipped 3 other files, such as" in said
        assert f"._{FIRST}" in said
        assert f"skipped 1 files that macOS wrote, such as {raw / f'._{name}'}" in said
        code, said = airshed("inspect", raw, "--config", study, "--all")
        assert "there twice" not in said
        assert "._CN-Reanalysis" in said


def test_the_limits_let_a_day_of_the_full_grid_through() -> None:
    hour = 13 * 4 * 339 * 432  # bytes, not compressed
    assert 100 * hour < members.MAX_MEMBER_BYTES
    assert 24 * 4 * hour < members.MAX_ARCHIVE_BYTES
