"""Lightning Fabric without torchmetrics, of which it wants to know nothing but the version.

torchmetrics brings scipy, and matplotlib, which makes a cache of fonts on every fresh node.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from types import ModuleType


@contextmanager
def _only_version(name: str) -> Iterator[None]:
    """Puts one that knows its version alone in the place of a package that is not imported yet."""
    if name in sys.modules:
        yield
        return
    stand_in = ModuleType(name)
    stand_in.__version__ = version(name)  # type: ignore[attr-defined]
    sys.modules[name] = stand_in
    try:
        yield
    finally:
        del sys.modules[name]


with _only_version("torchmetrics"):
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
    from lightning_fabric.strategies.ddp import DDPStrategy
    from lightning_fabric.strategies.model_parallel import ModelParallelStrategy
    from lightning_fabric.strategies.strategy import Strategy

__all__ = [
    "DDPStrategy",
    "Fabric",
    "LightningEnvironment",
    "ModelParallelStrategy",
    "SLURMEnvironment",
    "Strategy",
]
