"""Read changed hourly files for some seconds: ``python tests/bad_input/mutate.py SECONDS``.

Each read has a few seconds in a process of its own, so that neither a crash of the HDF5 library nor
a file with which it does not come to an end stops the search. What is found goes into the current
folder.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "helpers"))
import raw_files as made

from airshed.data.rawfile import read_contents
from airshed.data.rawhour import as_hour
from airshed.errors import AirshedError
from airshed.variables import CAQRA, HOURLY

A_CHILD = 50  # files
LIMIT_S = 4
HEADER_BYTES = 8000  # half of the changes are in here, where the structure is


def mutated(content: bytes, numbers: random.Random) -> bytes:
    """The content with one to eight bytes changed."""
    data = bytearray(content)
    for _ in range(numbers.choice((1, 1, 2, 4, 8))):
        end = len(data) if numbers.random() < 0.5 else HEADER_BYTES
        at = numbers.randrange(min(end, len(data)))
        flipped = data[at] ^ (1 << numbers.randrange(8))
        data[at] = numbers.choice((0, 255, numbers.randrange(256), flipped))
    return bytes(data)


def read_all(files: list[bytes]) -> tuple[int, int]:
    """Read files in a child until one stops it: how many were begun, and the signal, or 0."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        _read(files, write_end)
    os.close(write_end)
    status = os.waitpid(child, 0)[1]
    begun = len(os.read(read_end, len(files)))
    os.close(read_end)
    return begun, status


def _read(files: list[bytes], told: int) -> None:
    """Read files in this process, and end it."""
    try:
        for content in files:
            os.write(told, b".")
            signal.alarm(LIMIT_S)
            with suppress(AirshedError):
                as_hour(read_contents(content, "mutated", CAQRA), HOURLY, "mutated")
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def main() -> None:
    """Go on until the time is over; say what was found."""
    end, numbers = time.monotonic() + float(sys.argv[1]), random.Random(0)
    content = made.whole_hour(made.START)
    tried, found = 0, {"endless": 0, "crash": 0}
    while time.monotonic() < end:
        files = [mutated(content, numbers) for _ in range(A_CHILD)]
        begun, status = read_all(files)
        tried += begun
        if status:
            kind = "endless" if status == signal.SIGALRM else "crash"
            found[kind] += 1
            Path(f"{kind}-{tried}.nc").write_bytes(files[begun - 1])
    sys.stdout.write(f"{tried} files: {found}\n")
    sys.exit(found["crash"] > 0)


if __name__ == "__main__":
    main()
