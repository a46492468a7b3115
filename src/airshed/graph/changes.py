"""What a changed study repeats, in words, before Snakemake lists its jobs."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from airshed.config import Study, load_study
from airshed.config.study import shapes_of
from airshed.errors import AirshedError
from airshed.files import benchmark_seconds
from airshed.graph.notes import Note
from airshed.graph.products import PRODUCTS, leading_to
from airshed.graph.settings import name_of, shaping
from airshed.graph.user_files import CurrentFiles, Listing
from airshed.integrity.formats import read_or_nothing

Change = tuple[str, Any, Any]
"""A setting by its path, what it was, and what it is."""


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """Settings with different values in both; those that only one has do not count."""
    one, other = dict(_flat(before)), dict(_flat(now))
    return [
        (path, one[path], other[path]) for path in other if path in one and one[path] != other[path]
    ]


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def in_words(changes: Collection[Change]) -> str:
    """Changes as ``train.epochs (4 -> 6), ...``."""
    return ", ".join(f"{path} ({_short(was)} -> {_short(now)})" for path, was, now in changes)


def _short(value: Any) -> str:
    text = "none" if value is None else json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def retrained(study: Study, results: Path) -> list[str]:
    """One line for each set of changes that repeats finished trainings of a study."""
    found: dict[str, list[float]] = {}
    config, products = study.model_dump(mode="json"), leading_to("training", study)
    for variant in study.variants:
        now = _of_variant(config, variant)
        for seed in study.seeds:
            record = read_or_nothing(results / "variants" / variant / f"seed{seed}" / "run.json")
            before = _of_variant(record.get("config", {}), str(record.get("variant")))
            changes = [
                change
                for change in differences(before, now)
                if products.intersection(shapes_of(change[0]).products)
                and not shapes_of(change[0]).content
            ]
            if changes:
                words = in_words([(path.replace("*", variant), *rest) for path, *rest in changes])
                found.setdefault(words, []).append(float(record.get("training_seconds", 0)))
    return [
        f"{words} repeats {_count(len(taken), 'training')} (took {duration(sum(taken))} in all)"
        " and what follows"
        for words, taken in found.items()
    ]


def _of_variant(config: Mapping[str, Any], variant: str) -> dict[str, Any]:
    """A resolved study with the stanza of one variant alone, under the name ``*``."""
    stanza = config.get("variant_stanzas", {}).get(variant, {})
    return {**config, "variant_stanzas": {"*": stanza}}


def replaced_data(study: Study, outputs: Mapping[str, Path]) -> list[str]:
    """One line for each product of raw data that changed settings repeat.

    Raises:
        AirshedError: Another study depends on the product as it is.
    """
    lines = []
    for product, output in outputs.items():
        note = Note.beside(output)
        if note is None or note.name == name_of(product, study):
            continue
        changes = differences(note.settings, shaping(product, study))
        others = _depending_on(product, note.name, study)
        if others:
            need = "depends" if len(others) == 1 else "depend"
            raise AirshedError(
                f"study '{study.study}' would replace {PRODUCTS[product].words} that"
                f" {' and '.join(map(repr, others))} {need} on",
                where=output,
                expected=f"the same settings in all studies with dataset.name"
                f" '{study.dataset.name}'",
                found=in_words(changes) or "another format",
                hint=f"give the dataset of '{study.study}' a name of its own (dataset.name); or"
                " give the other studies the same settings, or remove them",
            )
        taken = benchmark_seconds(output.parent / f"benchmarks/{PRODUCTS[product].rule}.tsv")
        took = f" (took {duration(taken)})" if taken else ""
        lines.append(
            f"{in_words(changes) or 'another format'} repeats {PRODUCTS[product].words}{took}"
            " and what follows"
        )
    return lines


def _depending_on(product: str, name: str, study: Study) -> list[str]:
    """Other studies on the same dataset that use a product as it is."""
    found = []
    for path in sorted(Path("results").glob("*/config.resolved.yaml")):
        if path.parent.name == study.study:
            continue
        try:
            other = load_study([path])
        except AirshedError:
            continue
        one, two = ((each.dataset.name, str(each.dataset.grid)) for each in (other, study))
        same_place = one == two if product == "hourly" else one[0] == two[0]
        if same_place and name_of(product, other) == name:
            found.append(other.study)
    return found


def changed_files(product: str, noted: Listing, now: CurrentFiles) -> list[str]:
    """Lines on the user's files of a product that were added, removed or replaced since."""
    lines = []
    added = now.listing.keys() - noted.keys()
    gone = noted.keys() - now.listing.keys()
    replaced = {
        name
        for name in now.listing.keys() & noted.keys()
        if now.listing[name]["token"] != noted[name]["token"]
    }
    parts = [
        f"{len(names)} {word} ({_user_name(min(names))}{', ...' * (len(names) > 1)})"
        for names, word in ((added, "new"), (gone, "gone"), (replaced, "replaced"))
        if names
    ]
    words = PRODUCTS[product].words
    if parts:
        lines.append(f"files of the user, {', '.join(parts)}: repeats {words} and what follows")
    if now.unhashed:
        lines.append(
            f"{now.unhashed} files of {words} have another time and the same size as when they were"
            " read; they count as unchanged, since there is too much to hash before a run"
        )
    return lines


def _user_name(name: str) -> str:
    """A file as users know it: by its place in a folder, else by the setting that names it."""
    setting, _, place = name.partition(":")
    return setting if place.isdigit() else place


def duration(seconds: float) -> str:
    """A duration in the unit that fits."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
