from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from airshed.errors import AirshedError
from airshed.integrity.atomic import atomic_path, flush, write_json, writing


def test_a_failed_block_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "scores.csv"
    target.write_text("old")

    def fail() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_replaces_a_folder(tmp_path: Path) -> None:
    target = tmp_path / "store"
    target.mkdir()
    (target / "stale").write_text("")
    with atomic_path(target) as temporary:
        temporary.mkdir()
        (temporary / "fresh").write_text("")
        assert [path.name for path in target.iterdir()] == ["stale"]
    assert [path.name for path in target.iterdir()] == ["fresh"]


@pytest.mark.parametrize("inside", [(), ("a/b", "c")], ids=["file", "folder"])
def test_content_is_on_the_disk_before_it_has_its_name_and_the_name_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: tuple[str, ...]
) -> None:
    """A disk that keeps, at a power failure, what was flushed and nothing else."""
    target, kept = tmp_path / "new", {}

    def fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").resolve()
        names = sorted(entry.name for entry in path.iterdir()) if path.is_dir() else None
        kept[path.name] = names or path.read_text()
        if path != tmp_path:
            assert not target.exists(), "it had its name before its content was flushed"

    monkeypatch.setattr(os, "fsync", fsync)
    with atomic_path(target) as temporary:
        for path in [temporary / name for name in inside] or [temporary]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(path.name)
    assert kept.pop(tmp_path.name) == ["new"]
    if inside:
        assert kept == {temporary.name: ["a", "c"], "a": ["b"], "b": "b", "c": "c"}
    else:
        assert kept == {temporary.name: temporary.name}


def test_a_file_system_that_flushes_no_folders_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    flush(tmp_path)
    with pytest.raises(AirshedError, match="no space is left"):
        write_json(tmp_path / "a.json", {})
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_of_the_same_target_is_removed(tmp_path: Path) -> None:
    for name in (".a.json.77.partial", ".b.json.77.partial"):
        (tmp_path / name).write_text("half")
    (tmp_path / ".a.json.78.partial").mkdir()
    write_json(tmp_path / "a.json", {})
    assert {path.name for path in tmp_path.iterdir()} == {"a.json", ".b.json.77.partial"}


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.ENOSPC, "no space is left"), (errno.EROFS, "read-only"), (errno.EDQUOT, "quota")],
)
def test_what_the_disk_refuses_is_said(tmp_path: Path, number: int, said: str) -> None:
    target = tmp_path / "new" / "scores.csv"

    def fail() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise OSError(number, "refused")

    with pytest.raises(AirshedError, match=f"(?s)cannot be written.*scores.csv.*{said}"):
        fail()
    assert not list(target.parent.iterdir())


def test_a_file_that_may_not_grow_is_said(tmp_path: Path) -> None:
    """By a limit of the operating system, as a quota is."""
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from airshed.integrity.atomic import write_text\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        f"write_text(Path({str(tmp_path / 'a.csv')!r}), 'x' * 2000)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "the file grows larger than is allowed" in done.stderr
    assert not list(tmp_path.iterdir())


def test_errors_that_the_disk_has_no_part_in_stay_what_they_are(tmp_path: Path) -> None:
    for error in (RuntimeError("a bug"), FileNotFoundError(errno.ENOENT, "lost")):
        with pytest.raises(type(error), match=r"a bug|lost"), writing(tmp_path / "a"):
            raise error


def test_json_refuses_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []
