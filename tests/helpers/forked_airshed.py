"""An ``airshed`` whose processes are forked from one that has imported what its steps need.

It stands in for the command where a whole study runs and only its results are looked at: imports
take most of each step of a tiny study. Runs that are killed, watched or sent to a cluster start the
command itself, and end where these do.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.reduction import DupFd
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

from forked import forked, preload
from reading import READ, noted

preload(
    *("airshed.simulate", "airshed.data.ingest", "airshed.evaluation.network"),
    *("airshed.training.run", "airshed.bench.cost", "airshed.report.page"),
)

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
def forked_airshed() -> Iterator[Path]:
    """A folder for PATH with such a command, which works until the end of the context."""
    with TemporaryDirectory() as name, socket.socket(socket.AF_UNIX) as here:
        address, command = f"{name}/socket", Path(name) / "bin/airshed"
        here.bind(address)
        here.listen()
        command.parent.mkdir()
        command.write_text(COMMAND.format(python=sys.executable, address=address))
        command.chmod(0o755)
        Thread(target=_accept, args=(here,), daemon=True).start()
        yield command.parent


def _accept(here: socket.socket) -> None:
    while True:
        try:
            connection, _ = here.accept()
        except OSError:  # closed at the end
            return
        Thread(target=_serve, args=(connection,), daemon=True).start()


def _serve(connection: socket.socket) -> None:
    with connection, connection.makefile() as lines:
        _, files, _, _ = socket.recv_fds(connection, 1, 3)
        given = json.loads(lines.readline())
        process = forked(_airshed, *given, [DupFd(file) for file in files])
        process.start()
        for file in files:
            os.close(file)
        process.join()
        connection.sendall(f"{process.exitcode}\n".encode())


def _airshed(words: list[str], folder: str, variables: dict[str, str], files: list[Any]) -> None:
    from airshed.cli import main

    for number, file in enumerate(files):
        os.dup2(file.detach(), number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = words
    with noted(Path(words[0]).parent / READ):
        main()
