"""What fuzzers have found is replayed: every reader takes it or refuses it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from fuzz_targets import TARGETS, seeds

CORPUS = Path(__file__).parent / "corpus"
FOUND = sorted(p for target in TARGETS for p in (CORPUS / target).glob("*"))


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}-{path.name[:14]}")
def test_what_was_found_is_taken_or_refused(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


@pytest.mark.parametrize("target", list(TARGETS))
def test_right_inputs_with_some_bytes_changed_are_taken_or_refused(target: str) -> None:
    """A fuzzer without guidance, for machines that have none; the same changes every time."""
    numbers = random.Random(target)
    for seed in seeds(target):
        for _ in range(20):
            data = bytearray(seed)
            for _ in range(numbers.randint(1, 8)):
                data[numbers.randrange(len(data))] = numbers.randrange(256)
            TARGETS[target](bytes(data[: numbers.randint(1, len(data))]))
