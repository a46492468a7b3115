"""Dynamo's limits: what goes beyond them fails. By itself it would run uncompiled, without a word.

For attention by FlexAttention that means all scores in memory, and fifty times the time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import torch
from torch._compile import _disable_dynamo

FORMS = (
    8  # of one piece of code for one network: kinds of blocks, shapes of batches, training or not
)


def allow_forms(networks: int = 1) -> None:
    """Let each piece of code be compiled as often as so many networks need."""
    config = torch._dynamo.config
    config.fail_on_recompile_limit_hit = True
    for limit in ("recompile_limit", "accumulated_recompile_limit"):
        setattr(config, limit, max(getattr(config, limit), FORMS * networks))


_kinds: dict[object, int] = {}


def allow_forms_of(kind: object, networks: int) -> None:
    """Make room for what one more kind of bias compiles, beside the kinds that were met before.

    Args:
        kind: The bias's class.
        networks: As many forms as so many networks need.
    """
    if _kinds.get(kind) != networks:
        _kinds[kind] = networks
        allow_forms(sum(_kinds.values()))


Function = TypeVar("Function", bound=Callable[..., object])


def uncompiled(function: Function) -> Function:
    """A decorator for what compiled programs call as it is, with all that it calls.

    What is itself given to ``torch.compile`` in there is compiled all the same.
    ``torch.compiler.disable`` does the same, but imports dynamo at once: 1.5 s of every process,
    most of which compile nothing. This waits for the first call.
    """
    return cast(Function, _disable_dynamo(function, recursive=True))
