"""Who imports whom: docs/architecture.md, held against the imports of every module."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src/airshed"
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
LAYERS = {
    name: height
    for height, row in enumerate(
        re.findall(r"^\| \w+ \| (`.*`) \| .* \|$", PAGE.partition("## Layers")[2], re.MULTILINE)
    )
    for name in re.findall(r"`([\w.]+)`", row)
}
"""The layer of each package or module, counted from the top of the table."""
# told on the page: the only import of what lies below
UPWARD = {("graph.identity", "data.hourly")}
OF_THE_NETWORK = {"errors", "biases", "attention_paths", "integrity", "model"}


@cache
def modules() -> dict[str, set[str]]:
    """Every module by its name in the package, with those that it imports."""
    files = (
        path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem[0] != "_"
    )
    trees = {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): (
            ast.parse(path.read_text(encoding="utf-8"))
        )
        for path in files
    }
    return {name: {*imported(tree, {*trees})} for name, tree in trees.items()}


def imported(tree: ast.Module, known: set[str]) -> Iterator[str]:
    """Modules of the package that a module names, at its top or inside a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("airshed."):
            module = str(node.module).removeprefix("airshed.")
            for alias in node.names:
                inner = f"{module}.{alias.name}"
                yield inner if inner in known else module
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("airshed."):
                    yield alias.name.removeprefix("airshed.")


def layer(module: str) -> int:
    """That of the module if it is named alone, else that of its package."""
    parts = module.split(".")
    return next(
        LAYERS[name]
        for size in range(len(parts), 0, -1)
        if (name := ".".join(parts[:size])) in LAYERS
    )


def test_every_module_imports_its_own_layer_or_those_above_it() -> None:
    found = modules()
    assert len(found) > 200
    pairs = {(name, other) for name, others in found.items() for other in others}
    assert {(a, b) for a, b in pairs if layer(b) > layer(a)} == UPWARD


def test_the_walks_lead_through_modules_that_exist() -> None:
    walks, there = PAGE.partition("## Layers")[0], modules()
    for row in re.findall(r"^\| (`.*?) \|", walks, re.MULTILINE):
        for name in re.findall(r"`([\w.]+)`", row):
            assert name in there, name


def test_a_network_needs_torch_and_nothing_of_the_data() -> None:
    for name, others in modules().items():
        if name.startswith("model"):
            assert {other.split(".")[0] for other in others} <= OF_THE_NETWORK
