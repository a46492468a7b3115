"""Compile the attention kernels for cards that are not here: registers, spills, shared memory.

Needs Triton, no GPU: ``python benchmarks/compile_kernels.py``.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from airshed.model import bias as biases
from airshed.model.attention import kernels
from airshed.model.attention.kernel import BINS, parts_of
from airshed.model.bias.tile import SINGLE, SMALL, Shape, Tile

TARGETS = {
    "sm_90": GPUTarget("cuda", 90, 32),
    "sm_80": GPUTarget("cuda", 80, 32),
    "gfx90a": GPUTarget("hip", "gfx90a", 64),
}
TENSORS = {"q", "k", "v", "out", "dout", "dq", "dk", "dv"}
PASSES = {
    "forward": kernels.forward,
    "queries": kernels.backward_queries,
    "keys": kernels.backward_keys,
}
CUOBJDUMP = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"


def compiled(target: GPUTarget, name: str, kind: str, shape: Shape, width: int, dtype: str) -> Any:
    """A kernel for one bias and tile shape, of heads of that width."""
    kernel, tile = PASSES[name], tile_of(kind)
    first, rest = parts_of(width)
    cuda = target.backend == "cuda"
    constants = {
        "TILE": tile.function, "UPHILL": tile.uphill, "FEATURES": tile.features, "WIDTH": width,
        "D1": first, "D2": rest, "QUERIES": shape.queries, "KEYS": shape.keys, "TILES": 256,
        "EVEN": True, "PRECISION": "tf32x3" if cuda and dtype == "fp32" else "ieee",
        "TABLE": tile.table, "BIN": tile.bin, "BINS": BINS, "LINE": 128 if tile.places else 8192,
        "LINES": 64 if tile.places else 1,
    }  # fmt: skip
    constants = {name: value for name, value in constants.items() if name in kernel.arg_names}

    def type_of(name: str) -> str:
        if name in constants:
            return "constexpr"
        if name in TENSORS:
            return f"*{dtype}"
        if name == "scale":
            return "fp32"
        if name == "table" and dtype == "bf16":
            return "*fp16"
        whole = name in ("heads", "tokens") or name.startswith(("in_", "out_", "of_", "table_"))
        return "i32" if whole else "*fp32"

    types = {name: type_of(name) for name in kernel.arg_names}
    aligned = {
        (index,): [["tt.divisibility", 16]]
        for index, name in enumerate(kernel.arg_names)
        if types[name][0] == "*" or types[name] == "i32"
    }
    source = ASTSource(kernel, types, constants, aligned)
    options = {"num_warps": shape.warps, "num_stages": shape.stages}
    return triton.compile(source, target=target, options=options)


def tile_of(kind: str) -> Tile:
    """The tile function of a bias that has one."""
    tile = biases.KINDS[kind].tile_function
    assert tile is not None
    return tile


def usage(built: Any) -> str:
    """Registers and stack (above 0: a spill) of a thread, where the toolchain tells."""
    if "cubin" in built.asm and CUOBJDUMP.exists():
        with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
            file.write(built.asm["cubin"])
            file.flush()
            command = [CUOBJDUMP, "--dump-resource-usage", file.name]
            found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return " ".join(re.findall(r"(?:REG|STACK):\d+", found))
    if "amdgcn" in built.asm:
        names = ("vgpr_count", "agpr_count", "vgpr_spill_count")
        found = [re.search(rf"\.{name}:\s+(\d+)", built.asm["amdgcn"]) for name in names]
        return " ".join(
            f"{name}:{match[1]}" for name, match in zip(names, found, strict=True) if match
        )
    return ""


def main() -> None:
    """Print a line for each target, kernel and bias."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", nargs="*", default=list(TARGETS))
    parser.add_argument("--kinds", nargs="*", default=None)
    parser.add_argument("--width", type=int, default=96, help="of a head")
    parser.add_argument("--dtype", choices=("bf16", "fp32"), default="bf16")
    parser.add_argument("--small", action="store_true", help="tiles that fit on any GPU")
    asked = parser.parse_args()
    kinds = asked.kinds or [kind for kind, cls in biases.KINDS.items() if cls.tile_function]
    for target in asked.targets:
        for kind in kinds:
            shapes = SINGLE if asked.dtype == "fp32" else tile_of(kind).shapes
            shapes = SMALL if asked.small else shapes
            for name, shape in zip(PASSES, shapes, strict=True):
                built = compiled(TARGETS[target], name, kind, shape, asked.width, asked.dtype)
                shared = built.metadata.shared
                print(target, kind, name, *shape, f"shared {shared}", usage(built), flush=True)


if __name__ == "__main__":
    main()
