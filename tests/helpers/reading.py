"""Notes which settings a command reads of those in its view."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airshed.config import Study
from airshed.config.base import Section
from airshed.config.study import DECLARED
from airshed.graph import notes, settings
from airshed.graph.products import PRODUCTS

READ = "read.jsonl"


@contextmanager
def noted(path: Path) -> Iterator[None]:
    """Append to a file, for each step of the block, its product and the settings that were read."""
    places: dict[int, str] = {}
    read: set[str] = set()
    step_settings, get = settings.step_settings, object.__getattribute__
    kept = []

    def place(section: Any, where: str) -> None:
        if isinstance(section, Section):
            places[id(section)] = where
            for name, value in get(section, "__dict__").items():
                place(value, f"{where}.{name}".strip("."))
        elif isinstance(section, dict):
            for value in section.values():
                place(value, f"{where}.*")

    def placed_settings(paths: Any, product: str, of: str | None = None) -> Study:
        study = step_settings(paths, product, of)
        read.add(f"made: {product}")
        place(study, "")
        kept.append(study)  # so that no other object gets the number of one that is gone
        return study

    def noting(section: Section, name: str) -> Any:
        if name in type(section).model_fields and id(section) in places:
            read.add(f"{places[id(section)]}.{name}".strip("."))
        return get(section, name)

    notes.step_settings = settings.step_settings = placed_settings  # type: ignore[attr-defined]
    Section.__getattribute__ = noting  # type: ignore[method-assign, assignment]
    copied = Section.model_copy

    def copy(section: Section, **given: Any) -> Any:
        made = copied(section, **given)
        place(made, places.get(id(section), "?"))
        kept.append(made)  # type: ignore[arg-type]
        return made

    Section.model_copy = copy  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(sorted(read)) + "\n")


def unread(path: Path) -> dict[str, set[str]]:
    """By product: the settings that its steps declare and never read.

    A section that is read and none of whose settings is was taken as a whole.
    """
    read: dict[str, set[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        names = set(json.loads(line))
        for product in PRODUCTS:
            if f"made: {product}" in names:
                read.setdefault(product, set()).update(names)
    return {
        product: {
            setting
            for setting, shapes in DECLARED.items()
            if product in (*shapes.products, *shapes.used_by) and not _taken(setting, names)
        }
        for product, names in read.items()
    }


def _taken(setting: str, read: set[str]) -> bool:
    """Whether a setting was read, by itself or with a section as a whole."""
    parts = setting.split(".")
    for end in range(len(parts), 0, -1):
        place = ".".join(parts[:end])
        if place in read:
            return end == len(parts) or not any(name.startswith(f"{place}.") for name in read)
    return False
