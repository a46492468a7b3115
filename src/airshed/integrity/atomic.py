"""Files and folders that appear under their final name only when they are complete.

They are on the disk by then, so that a power failure leaves no file with a name and no content.
"""

from __future__ import annotations

import errno
import glob
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airshed.errors import AirshedError, brief

FULL_BELOW_BYTES = 2**20
DISK_PROBLEMS = {
    errno.ENOSPC: "no space is left",
    errno.EDQUOT: "the quota is used up",
    errno.EFBIG: "the file grows larger than is allowed",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
    errno.EIO: "the disk reports an error",
    errno.ENOLCK: "a file cannot be locked",
    errno.ENOSYS: "the file system does not support it",
}
NO_FLUSH = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)  # some file systems refuse it for folders


class DiskError(AirshedError):
    """A file cannot be written because of the disk that it would lie on."""


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``target``; rename it to ``target`` when the block succeeds.

    The block may create a file or a folder there. When it raises, nothing stays behind and what
    ``target`` was before is untouched. What a killed process left of the same target is removed.

    Raises:
        AirshedError: The disk is full, read-only, or refuses in another way.
    """
    target = Path(target)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            for unfinished in target.parent.glob(f".{glob.escape(target.name)}.*.partial"):
                remove(unfinished)
            yield temporary
            publish(temporary, target)
    finally:
        remove(temporary)


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """A block that writes ``target``: failures of the disk become a problem that names them.

    Raises:
        AirshedError: The disk is full, read-only, or refuses in another way.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        problem = disk_problem(error, target)
        if problem is None:
            raise
        raise problem from error


def disk_problem(error: OSError | RuntimeError, target: Path) -> DiskError | None:
    """The problem of the disk of ``target`` that an error shows; None if it has another cause."""
    found = _cause(error, target.parent)
    if found is None:
        return None
    return DiskError(
        "results cannot be written",
        where=getattr(error, "filename", None) or target,
        found=f"{found} ({brief(error)})",
        hint="make room or correct the permissions, then run again: finished work is not lost",
    )


def _cause(error: OSError | RuntimeError, folder: Path) -> str | None:
    """The cause in words; the disk is asked where NetCDF and torch do not report it."""
    number = error.errno or 0 if isinstance(error, OSError) else None
    if number in (None, errno.EACCES, errno.EPERM) and folder.is_dir():
        disk = os.statvfs(folder)
        if disk.f_flag & os.ST_RDONLY:
            number = errno.EROFS
        elif disk.f_bavail * disk.f_frsize < FULL_BELOW_BYTES:
            number = errno.ENOSPC
    return None if number is None else DISK_PROBLEMS.get(number)


def publish(source: Path, target: Path) -> None:
    """Give a complete file or folder its final name, replacing what was there.

    Its content is on the disk before it has the name, and the name when this returns.
    """
    flush(source)
    if target.is_dir():
        shutil.rmtree(target)
    source.replace(target)
    _flush(target.parent)


def flush(path: Path) -> None:
    """Wait until a file, or a folder with everything in it, is on the disk."""
    for where, _, names in os.walk(path):
        for name in names:
            _flush(Path(where, name))
        _flush(Path(where))
    if path.is_file():
        _flush(path)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NO_FLUSH or not path.is_dir():
            raise
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Delete a file or folder if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):  # a read-only file system refuses to delete even what is not there
        path.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """Write ``text`` (UTF-8) atomically."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(target: Path, content: Any) -> None:
    """Write ``content`` as indented JSON, atomically; NaN and infinity are refused."""
    write_text(target, json.dumps(content, indent=2, allow_nan=False) + "\n")
