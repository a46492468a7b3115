"""Triton where it is installed; else stand-ins, so that modules which hold kernels can be imported.

A CPU needs no Triton: nothing that is decorated here is ever called there, but for tests, which run
it in Triton's interpreter (``TRITON_INTERPRET=1``).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import Any

try:
    triton: Any = import_module("triton")
    tl: Any = import_module("triton.language")
    jit: Callable[[Any], Any] = triton.jit
except ImportError:  # a build of torch for the CPU alone does not bring it
    triton = tl = None

    def jit(function: Any) -> Any:
        """The function as it is."""
        return function


constexpr: Any = (lambda value: value) if tl is None else tl.constexpr
"""What a kernel is compiled for, and a constant that it may name."""
available = triton is not None
interpreted = available and os.environ.get("TRITON_INTERPRET") == "1"
"""Whether kernels run on the CPU, slowly and exactly."""
