"""``torch.compile`` for the blocks of a network, where it gains and where it can."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
from typing import Literal

import torch

from airshed.errors import AirshedError
from airshed.model import ClimaX

log = logging.getLogger(__name__)

CPU_TOKENS = 2048  # with fewer, compiling takes a CPU longer than it saves


def compile_blocks(
    network: ClimaX, mode: Literal["auto", "always", "never"], device: torch.device
) -> bool:
    """Compile the blocks in place, if wanted and possible; names of weights stay as they are.

    Args:
        network: The network; its blocks are compiled when they first run.
        mode: ``auto`` compiles for a GPU, and on a CPU if the patch grid is large.
        device: Where the network will run.

    Returns:
        Whether the blocks were compiled.

    Raises:
        AirshedError: ``always`` is asked for, and the machine has no compiler.
    """
    gains = device.type != "cpu" or network.pos_embed.shape[1] >= CPU_TOKENS
    if mode == "never" or (mode == "auto" and not gains):
        return False
    lacking = lacking_compiler(device)
    if lacking is not None and mode == "always":
        raise AirshedError(
            "the blocks cannot be compiled",
            where="train.compile",
            expected="a compiler",
            found=lacking,
            hint="install it, or set train.compile to auto or never",
        )
    if lacking is not None:
        log.warning("the blocks are not compiled: %s", lacking)
        return False
    for block in network.blocks:
        block.compile()
    return True


def lacking_compiler(device: torch.device) -> str | None:
    """What is missing for compiling, or None."""
    if device.type == "cuda":
        return None if importlib.util.find_spec("triton") else "triton is not installed"
    name = os.environ.get("CXX", "g++")
    return None if shutil.which(name) else f"no C++ compiler ({name}) is on the path"
