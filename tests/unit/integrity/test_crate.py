"""A study in a zip file: what it holds is checked without Airshed too, and no change is missed."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from airshed.errors import AirshedError
from airshed.integrity.crate import CHECKSUMS, verify_crate, write_crate
from airshed.integrity.formats import MANIFEST, VERSION

SCORES = "results/tiny/scores.csv"
FILES = {SCORES: "rmse,1.5\n", "model-cards/a mask.md": "# a mask\n", "Snakefile": "rule all:\n"}


@pytest.fixture
def crate(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    recorded = {SCORES: hashlib.sha256(FILES[SCORES].encode()).hexdigest(), "a.nc": "0"}
    manifest = json.dumps({VERSION: MANIFEST.version, "outputs": recorded})
    for name, text in (FILES | {"results/tiny/manifest.json": manifest}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    write_crate(folder, tmp_path / "crate.zip")
    return tmp_path / "crate.zip"


def rewritten(crate: Path, **changed: str | None) -> Path:
    """The same with other members; None takes one away, ``sums`` renews the list of checksums."""
    with zipfile.ZipFile(crate) as archive:
        content = {name: archive.read(name).decode() for name in archive.namelist()}
    for key, text in changed.items():
        name = {"scores": SCORES, "card": "model-cards/a mask.md"}.get(key, key)
        content[name] = text or ""
        if text is None:
            del content[name]
    if content.pop("sums", None):
        del content[CHECKSUMS]
        digests = {
            name: hashlib.sha256(text.encode()).hexdigest() for name, text in content.items()
        }
        content[CHECKSUMS] = "".join(f"{value}  {name}\n" for name, value in digests.items())
    other = crate.with_name("other.zip")
    with zipfile.ZipFile(other, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return other


def test_it_holds_and_so_say_unzip_and_sha256sum(crate: Path, tmp_path: Path) -> None:
    count, checksum = verify_crate(crate)
    assert count == 4
    shutil.unpack_archive(crate, tmp_path / "unpacked")
    command = ["sha256sum", "--check", "--strict", CHECKSUMS]
    done = subprocess.run(command, cwd=tmp_path / "unpacked", capture_output=True, text=True)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 4), done.stderr
    listed = (tmp_path / "unpacked" / CHECKSUMS).read_bytes()
    assert checksum == hashlib.sha256(listed).hexdigest()


def test_the_same_study_gives_the_same_bytes(crate: Path, tmp_path: Path) -> None:
    first = crate.read_bytes()
    (tmp_path / "folder/Snakefile").touch()
    write_crate(tmp_path / "folder", crate)
    assert crate.read_bytes() == first


def test_what_changed_is_named(crate: Path) -> None:
    for changes, told in (
        ({"scores": "rmse,1.4\n"}, f"changed  {SCORES}"),
        ({"card": None}, "missing  model-cards/a mask.md"),
        ({"added.csv": "1"}, "new      added.csv"),
    ):
        with pytest.raises(AirshedError, match="not what its checksums say") as caught:
            verify_crate(rewritten(crate, **changes))
        assert told in str(caught.value)


def test_a_result_that_was_changed_with_its_checksum_is_not_what_the_study_recorded(
    crate: Path,
) -> None:
    with pytest.raises(AirshedError, match=rf"changed  {SCORES} \(since manifest.json\)"):
        verify_crate(rewritten(crate, scores="rmse,1.4\n", sums="anew"))
    other = rewritten(crate, card="# better\n", sums="anew")  # of which the study knows nothing
    assert verify_crate(other)[1] != verify_crate(crate)[1]  # than the one that was published


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_second_file_of_one_name_is_found(crate: Path) -> None:
    with zipfile.ZipFile(crate, "a") as archive:
        archive.writestr(SCORES, FILES[SCORES])
    with pytest.raises(AirshedError, match=f"twice    {SCORES}"):
        verify_crate(crate)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "another archive"])
def test_what_cannot_be_read_is_refused_in_one_message(crate: Path, damage: str) -> None:
    content = bytearray(crate.read_bytes())
    if damage == "flipped":
        content[len(content) // 4] ^= 1
    crate.write_bytes(b"" if damage == "empty" else content[:-30] if damage == "cut" else content)
    if damage == "another archive":
        with zipfile.ZipFile(crate, "w") as archive:
            archive.writestr("a.csv", "1")
    with pytest.raises(AirshedError) as caught:
        verify_crate(crate)
    assert str(crate) in str(caught.value)
