"""Finds what would make a host wait for its device, without a device: everything runs on ``meta``.

Torch refuses to read a value from ``meta``. What comes from the host is found by its storage: no
operation on the device made it, and it was not there before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

META = torch.device("meta")


class NoCopies(TorchDispatchMode):
    """Refuses operations on tensors that came from the host while the mode is on.

    Args:
        present: What lies on the device beforehand.
    """

    def __init__(self, present: Iterable[Tensor]) -> None:
        super().__init__()
        self.made = [*present]  # kept alive: no storage's address is used twice
        self.known = {storage(tensor) for tensor in self.made}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        given = tensors((args, kwargs))
        for tensor in given:
            if tensor.device == META and storage(tensor) not in self.known:
                raise AssertionError(f"{func} takes a tensor that came from the host")
        out = func(*args, **(kwargs or {}))
        made = tensors(out)
        devices = {tensor.device.type for tensor in (*given, *made)}
        if len(devices) > 1:
            raise AssertionError(f"{func} works on {sorted(devices)} at once")
        self.made += made
        self.known |= {storage(tensor) for tensor in made}
        return out


def tensors(tree: object) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata
