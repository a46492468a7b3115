"""Peak memory of a fresh process."""

from __future__ import annotations

import os
from concurrent.futures.process import BrokenProcessPool
from functools import partial

import pytest
import torch

from airshed.bench.measure import peak_mb


def test_the_peak_of_a_call_is_what_it_held() -> None:
    assert 195 < peak_mb(partial, torch.ones, (200, 250_000)) < 230  # 200 MB of float32


def test_a_process_that_dies_is_an_error_and_no_endless_wait() -> None:
    with pytest.raises(BrokenProcessPool):
        peak_mb(partial, os._exit, 1)
