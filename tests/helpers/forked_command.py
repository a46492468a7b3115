"""A command whose processes are forked from one that has imported what they need."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.reduction import DupFd
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

from forked import forked

COMMAND = """\
#!{python} -SE
import json, os, socket, sys
there = socket.socket(socket.AF_UNIX)
there.connect({address!r})
socket.send_fds(there, [b"f"], [0, 1, 2])
there.sendall(json.dumps([sys.argv, os.getcwd(), dict(os.environ)]).encode() + b"\\n")
sys.exit(int(there.makefile().readline() or 1))
"""


@contextmanager
def forked_command(name: str, run: Callable[[], object]) -> Iterator[Path]:
    """The path of a command that calls ``run`` in a process of its own.

    There are the arguments, the folder, the environment and the streams of who started the command,
    which works until the end of the context.
    """
    with TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as here:
        address, command = f"{folder}/socket", Path(folder) / "bin" / name
        here.bind(address)
        here.listen()
        command.parent.mkdir()
        command.write_text(COMMAND.format(python=sys.executable, address=address))
        command.chmod(0o755)
        Thread(target=_accept, args=(here, partial(_started, run)), daemon=True).start()
        yield command


def _accept(here: socket.socket, start: Callable[..., object]) -> None:
    while True:
        try:
            connection, _ = here.accept()
        except OSError:  # closed at the end
            return
        Thread(target=_serve, args=(connection, start), daemon=True).start()


def _serve(connection: socket.socket, start: Callable[..., object]) -> None:
    with connection, connection.makefile() as lines:
        _, files, _, _ = socket.recv_fds(connection, 1, 3)
        given = json.loads(lines.readline())
        process = forked(start, *given, [DupFd(file) for file in files])
        process.start()
        for file in files:
            os.close(file)
        process.join()
        with suppress(BrokenPipeError):  # who started it was interrupted
            connection.sendall(f"{process.exitcode}\n".encode())


def _started(
    run: Callable[[], object],
    words: list[str],
    folder: str,
    variables: dict[str, str],
    files: list[Any],
) -> None:
    for number, file in enumerate(files):
        os.dup2(file.detach(), number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = words
    run()
