"""A study in a zip file: its checksums, and whether it still is what they say."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import IO

from airshed.errors import AirshedError, refusing
from airshed.integrity.atomic import atomic_path
from airshed.integrity.formats import MANIFEST, VERSION
from airshed.integrity.manifest import NAME, checksums
from airshed.integrity.provenance import READ_BYTES, tree_files
from airshed.integrity.verify import differences

CHECKSUMS = "SHA256SUMS"  # as sha256sum writes and checks them
EARLIEST = (1980, 1, 1, 0, 0, 0)  # of all members: the same study gives the same bytes


def write_crate(folder: Path, target: Path) -> str:
    """Write a folder into a zip file, with the checksums of all its files.

    Args:
        folder: What goes in; the file of checksums is written there.
        target: The zip file.

    Returns:
        The checksum of the checksums: it identifies the content of the whole file.
    """
    files = {path.relative_to(folder).as_posix(): path for path in tree_files(folder)}
    files.pop(CHECKSUMS, None)
    digests = checksums(files.values(), "checksums of the crate")
    lines = [f"{digests[str(files[name])]}  {name}\n" for name in sorted(files)]
    listed = "".join(lines).encode()
    (folder / CHECKSUMS).write_bytes(listed)
    with (
        atomic_path(target) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in [CHECKSUMS, *sorted(files)]:
            member = zipfile.ZipInfo(name, EARLIEST)
            member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(member, (folder / name).read_bytes())
    return hashlib.sha256(listed).hexdigest()


def verify_crate(path: Path) -> tuple[int, str]:
    """Hash every file of a crate again; nothing is unpacked.

    Returns:
        How many files are as the crate's checksums say, and the checksum of these, which the export
        has printed.

    Raises:
        AirshedError: It is no crate, or files have changed, are missing, or are new; each is named.
    """
    hint = "get it again from where it came, and compare the checksum that the export printed"
    wrong = zipfile.BadZipFile, OSError, KeyError, ValueError
    with (
        refusing(*wrong, what="a crate cannot be read", where=path, hint=hint, found=str),
        zipfile.ZipFile(path) as archive,
    ):
        listed = archive.read(CHECKSUMS)
        expected = _by_name(listed.decode())
        names = [each.filename for each in archive.infolist() if not each.is_dir()]
        found = {name: _sha256(archive.open(name)) for name in names if name != CHECKSUMS}
        problems = differences(expected, found)
        problems += [f"    twice    {name}" for name in sorted({*names}) if names.count(name) > 1]
        recorded = _recorded(archive)
    problems += [
        f"    changed  {name} (since manifest.json)"
        for name in sorted(recorded.keys() & found.keys())
        if recorded[name] != found[name]
    ]
    if problems:
        raise AirshedError(
            "the crate is not what its checksums say:\n" + "\n".join(problems),
            where=path,
            found=f"{len(problems)} differences in {len(expected)} files",
            hint=hint,
        )
    return len(found), hashlib.sha256(listed).hexdigest()


def _by_name(listed: str) -> dict[str, str]:
    """The lines of a file of checksums, by the name of the file."""
    pairs = (line.split("  ", 1) for line in listed.splitlines())
    return {name: digest for digest, name in pairs}


def _recorded(archive: zipfile.ZipFile) -> dict[str, str]:
    """Checksums of results in the study's own manifest; the crate contains a part of these."""
    (name,) = (each for each in archive.namelist() if Path(each).name == NAME)
    manifest = json.loads(archive.read(name))
    MANIFEST.check(manifest.get(VERSION), name)
    outputs: dict[str, str] = manifest["outputs"]
    return outputs


def _sha256(stream: IO[bytes]) -> str:
    digest = hashlib.sha256()
    with stream:
        while block := stream.read(READ_BYTES):
            digest.update(block)
    return digest.hexdigest()
