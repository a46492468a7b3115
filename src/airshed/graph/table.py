"""The table of docs/rerunning.md: what a changed setting repeats, as the settings declare it."""

from __future__ import annotations

from collections.abc import Iterable

from airshed.config.shapes import Declared, Shapes
from airshed.config.study import DECLARED
from airshed.graph.products import PRODUCTS, TABLES, following


def rerunning_table() -> str:
    """What each setting repeats, settings alike in one row, as Markdown.

    With ``report`` go the tables that stand in it, and the manifest.
    """
    rows: dict[tuple[bool, tuple[str, ...]], list[str]] = {}
    for path, shapes in _grouped(DECLARED).items():
        rows.setdefault((shapes.content, _made(shapes)), []).append(path)
    lines = ["| change of | makes anew | and what is made from that |", "|---|---|---|"]
    for (content, products), paths in sorted(rows.items(), key=lambda row: -len(row[0][1])):
        names = ", ".join(f"`{path}`" for path in paths)
        after = [name for name in PRODUCTS if name in _made_of(following(products)) - {*products}]
        words = _words(name for name in after if name not in (*TABLES, "report", "manifest"))
        lines.append(
            f"| {'the content of ' if content else ''}{names} | {_words(products) or 'nothing'}"
            f" | {words}{', ' if words and after else ''}{'report' if after else ''} |"
        )
    return "\n".join(lines)


def _made(shapes: Shapes) -> tuple[str, ...]:
    return tuple(name for name in PRODUCTS if name in _made_of(shapes.products))


def _made_of(products: Iterable[str]) -> set[str]:
    """Those that a rule makes."""
    return {name for name in products if PRODUCTS[name].rule}


def _words(products: Iterable[str]) -> str:
    return ", ".join(PRODUCTS[name].words for name in products)


def _grouped(settings: Declared) -> Declared:
    """Sections in which all settings are alike stand for these."""
    found = dict(settings)
    while True:
        merged: Declared = {}
        for path, shapes in found.items():
            section = path.rpartition(".")[0]
            inside = [one for name, one in found.items() if name.startswith(f"{section}.")]
            alike = {(_made(one), one.content) for one in inside}
            merged[section if section and len(alike) == 1 else path] = shapes
        if merged.keys() == found.keys():
            return found
        found = merged
