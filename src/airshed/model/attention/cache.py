"""Choices of attention paths, cached on the machine so that other jobs need not measure again."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import torch

from airshed.integrity.atomic import write_json
from airshed.integrity.formats import read_or_nothing
from airshed.integrity.provenance import version_of
from airshed.model import triton_language
from airshed.model.attention.workload import Workload
from airshed.model.bias import Bias

_known: dict[str, dict[str, Any]] = {}
CACHE = "AIRSHED_CACHE"


def folder() -> Path:
    """Where choices are cached: $AIRSHED_CACHE, or ``airshed`` in the user's cache."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get(CACHE) or Path(home) / "airshed")


def cached(bias: Bias | None, workload: Workload) -> dict[str, Any] | None:
    """What was chosen for a bias and a problem, with this code and these versions, or None."""
    key = _key(bias, workload)
    if key not in _known:
        found = read_or_nothing(_file(key))
        if not found:  # none, or half a one: it is measured again
            return None
        _known[key] = found
    return _known[key]


def cache(bias: Bias | None, workload: Workload, choice: dict[str, Any]) -> None:
    """Cache a choice; a folder that cannot be written costs the next job a measurement."""
    key = _key(bias, workload)
    _known[key] = choice
    try:
        folder().mkdir(parents=True, exist_ok=True)
        write_json(_file(key), choice | {"of": json.loads(key)})
    except OSError:
        return


def _file(key: str) -> Path:
    return folder() / f"attention-{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"


def _key(bias: Bias | None, workload: Workload) -> str:
    facts = workload._asdict() | {
        "bias": None if bias is None else type(bias).__name__,
        "grid": None if bias is None else bias.layout,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "dtype": str(workload.dtype),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "torch": torch.__version__,
        "triton": getattr(triton_language.triton, "__version__", None),
        "flash_attn_4": version_of("flash-attn-4"),
        "code": _code(),
    }
    return json.dumps(facts, sort_keys=True, default=str)


@functools.cache
def _code() -> str:
    """Digest of the modules that compute attention."""
    here = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted([*here.rglob("*.py"), *(here.parent / "bias").glob("*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
