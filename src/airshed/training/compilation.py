"""``torch.compile`` for the blocks of networks, where it gains and where it can.

Blocks of one kind share one program, which is compiled when the first of them runs.
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import shutil
import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import torch
from torch import Tensor

from airshed.errors import AirshedError, brief
from airshed.model import Forecaster
from airshed.model.dynamo import allow_forms

log = logging.getLogger(__name__)

CPU_TOKENS = 2048  # with fewer, compiling takes a CPU longer than it saves


def compile_blocks(
    networks: Sequence[Forecaster], mode: Literal["auto", "always", "never"], device: torch.device
) -> bool:
    """Compile the blocks in place, if wanted and possible; names of weights stay as they are.

    Args:
        networks: All that this process runs, of one size; their blocks are compiled when they
            first run.
        mode: ``auto`` compiles for a GPU, and on a CPU if the patch grid is large.
        device: Where the network will run.

    Returns:
        Whether the blocks were compiled.

    Raises:
        AirshedError: ``always`` is asked for, and the machine has no compiler.
    """
    gains = device.type != "cpu" or networks[0].pos_embed.shape[1] >= CPU_TOKENS
    if mode == "never" or (mode == "auto" and not gains):
        return False
    lacking = lacking_compiler(device)
    if lacking is not None and mode == "always":
        raise AirshedError(
            "the blocks cannot be compiled",
            where="train.compile",
            expected="a compiler that works",
            found=lacking,
            hint="install one (g++ for a CPU; triton and a C compiler for a GPU), or set"
            " train.compile to auto or never",
        )
    if lacking is not None:
        log.warning("the blocks are not compiled: %s", lacking)
        return False
    allow_forms(len(networks))
    for block in chain.from_iterable(network.blocks for network in networks):
        block.compile()
    return True


def lacking_compiler(device: torch.device) -> str | None:
    """Why a small function and its gradient cannot be compiled for a device, or None.

    The trial takes seconds; that it succeeded is noted in the cache of the compiler itself.
    """
    from torch._inductor.runtime.cache_dir_utils import cache_dir

    proof = Path(cache_dir()) / f"airshed_compiles_{_toolchain(device)}"
    if proof.exists():
        return None
    try:
        _compile_something(device)
    except Exception as error:  # whatever a compiler may raise
        return brief(error)
    proof.parent.mkdir(parents=True, exist_ok=True)
    proof.touch()
    return None


def _compile_something(device: torch.device) -> None:
    from torch._inductor.utils import fresh_cache  # takes a while; most trainings do not need it

    def small(x: Tensor) -> Tensor:
        return (x * x + 1).tanh()

    # a cache of its own: what an earlier process compiled proves nothing
    with TemporaryDirectory() as folder, fresh_cache(dir=folder):
        x = torch.ones(64, device=device, requires_grad=True)
        torch.autograd.grad(torch.compile(small)(x).sum(), x)


def _toolchain(device: torch.device) -> str:
    """A name for what has to fit together: machine, device, versions and compilers."""
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    chosen = [os.environ.get(name) for name in ("CXX", "CC")]
    found = [shutil.which(name) for name in ("g++", "gcc", "clang++", "clang")]
    parts = [platform.node(), card, sys.version, torch.__version__, *chosen, *found]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
