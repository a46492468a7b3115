"""Fuzz one reader for some seconds: ``python tests/bad_input/fuzz.py TARGET SECONDS``.

What makes it fail is kept in ``corpus/TARGET/``, where the tests replay it. Needs atheris.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import atheris

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "helpers"))
MOST_BYTES, MOST_SECONDS_EACH = 100_000, 10

with atheris.instrument_imports(include=["airshed", "tarfile", "zipfile", "yaml"]):
    from fuzz_targets import TARGETS, seeds


def main() -> None:
    """Run the fuzzer; it ends the process itself, with a code other than 0 after a finding."""
    target, seconds = sys.argv[1:]
    logging.disable()
    kept = HERE / "corpus" / target
    kept.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        for number, seed in enumerate(seeds(target)):
            (Path(folder) / f"seed{number}").write_bytes(seed)
        options = [
            f"-max_total_time={seconds}",
            f"-max_len={MOST_BYTES}",
            f"-timeout={MOST_SECONDS_EACH}",
            f"-artifact_prefix={kept}/",
        ]
        atheris.Setup([sys.argv[0], *options, folder, str(kept)], TARGETS[target])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
