"""Lines of a log of any size, read as a stream; the carriage return of a bar ends a line too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from airshed.errors import AirshedError
from airshed.progress import progress_bar

BLOCK_BYTES = 1 << 16
MAX_LINE_BYTES = 1 << 16
QUIET_S = 5.0  # reading shows its progress if it takes longer
ENDS = re.compile(rb"[\r\n]+")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # colours and movements of a terminal


def log_lines(path: Path) -> Iterator[str]:
    """The lines of a text file without escape sequences; memory is that of a block at a time.

    A line longer than MAX_LINE_BYTES comes in pieces. Bytes that are no UTF-8 are replaced.

    Raises:
        AirshedError: The file cannot be read, is empty or binary.
    """
    rest, empty = b"", True
    for block in _blocks(path):
        empty = False
        *whole, rest = ENDS.split(rest + block)
        yield from map(_text, whole)
        if len(rest) > MAX_LINE_BYTES:
            yield _text(rest)
            rest = b""
    if empty:
        raise AirshedError("a log is empty", where=path)
    yield _text(rest)


def _blocks(path: Path) -> Iterator[bytes]:
    try:
        size = path.stat().st_size
        with (
            path.open("rb") as stream,
            progress_bar(f"bytes of {path.name}", size, delay_s=QUIET_S) as bar,
        ):
            while block := stream.read(BLOCK_BYTES):
                if b"\0" in block:
                    raise AirshedError(
                        "a log holds bytes that no text has",
                        where=path,
                        expected="the output of a training as text, UTF-8",
                        hint="unpack it first if it is compressed; convert it if it is UTF-16",
                    )
                yield block
                bar.update(len(block))
    except OSError as error:
        raise AirshedError("a log cannot be read", where=path, found=error.strerror) from error


def _text(line: bytes) -> str:
    return ESCAPES.sub("", line.decode("utf-8", errors="replace"))
