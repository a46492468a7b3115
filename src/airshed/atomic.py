"""Files and folders that appear under their final name only when they are complete."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``target``; rename it to ``target`` when the block succeeds.

    The block may create a file or a folder there. When it raises, nothing stays behind and what
    ``target`` held before is untouched.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.partial")
    remove(temporary)
    try:
        yield temporary
        publish(temporary, target)
    finally:
        remove(temporary)


def publish(source: Path, target: Path) -> None:
    """Give a complete file or folder its final name, replacing what was there."""
    if target.is_dir():
        shutil.rmtree(target)
    source.replace(target)


def remove(path: Path) -> None:
    """Delete a file or folder if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """Write ``text`` (UTF-8) atomically."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(target: Path, content: Any) -> None:
    """Write ``content`` as indented JSON, atomically; NaN and infinity are refused."""
    write_text(target, json.dumps(content, indent=2, allow_nan=False) + "\n")
