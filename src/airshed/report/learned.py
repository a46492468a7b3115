"""What biases have learned: numbers such as alpha by their values, tables by their size.

Alpha is the strength of a bias, by its name: at 0 the bias is off. Its value is interpreted only
where training could have taken it to 0; whether a network uses its bias is shown by what it loses
without (:mod:`airshed.report.bias`). Other numbers are reported as they are, under their own names.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from airshed.biases import BIASES
from airshed.report.results import Results

STRENGTH = "alpha"
TURNED_UP, TURNED_DOWN = 1.25, 0.5  # final over initial strength


class Number(NamedTuple):
    """A parameter of a bias that is one number, of one training.

    Attributes:
        label: Its name with its block, such as ``blocks.0.alpha``.
        name: Its name in the bias, such as ``alpha``.
        initial: Where it began; None if that is not known.
        final: Where it ended.
        reach: How far it could have moved, about; None if that is not known.
        negative: What it means that it is negative, if anything.
        seed: Seed of the training.
    """

    label: str
    name: str
    initial: float | None
    final: float
    reach: float | None
    negative: str
    seed: int

    @property
    def stuck(self) -> bool:
        """Whether it could not have gone to 0 in its training."""
        if self.initial is None or self.reach is None:
            return False
        return self.reach < abs(self.initial)


def numbers(results: Results, variant: str) -> list[Number]:
    """Those of all trainings of a variant; none for an unbiased one.

    Where they began is what the training has noted; of older records, what the stanza says.
    """
    bias = results.study.variant_stanzas[variant].bias
    found = []
    for run in results.of_variant(variant):
        noted = run["bias"].get("initial", {})
        for label, name, final in finals(run):
            initial = noted.get(label, getattr(bias, f"{name}_init", None))
            reach = run["bias"].get("reach")
            negative = BIASES[bias.kind].negative if name == STRENGTH else ""
            found.append(Number(label, name, initial, final, reach, negative, run["seed"]))
    return found


def finals(run: dict[str, Any]) -> Iterator[tuple[str, str, float]]:
    """Label, name and final value of each number in a ``run.json``.

    Older records have no initial values, and parameters of perceptrons beside alpha.
    """
    for label, value in run["bias"]["parameters"].items():
        name = label.split(".", 2)[2]
        if name == STRENGTH or label in run["bias"].get("initial", {}):
            yield label, name, float(value)


def names(results: Results) -> list[str]:
    """Names of all numbers that biases of a study have learned."""
    every = (name for run in results.runs.values() for _, name, _ in finals(run))
    return list(dict.fromkeys(every))


def alpha_alone(results: Results) -> bool:
    """Whether biases of a study have learned nothing but strengths."""
    arrays = any(run["bias"].get("arrays") for run in results.runs.values())
    return set(names(results)) <= {STRENGTH} and not arrays


def heading(found: Iterable[str]) -> str:
    """What a column of numbers with these names is called."""
    return ", ".join(dict.fromkeys(found)) or STRENGTH


def named(name: str, shown: str) -> str:
    """A value in such a column: one that is not alpha's says whose it is."""
    return shown if name == STRENGTH else f"{name} {shown}"


def by_name(found: Iterable[tuple[str, float]]) -> dict[str, list[float]]:
    """All values of each name."""
    grouped: dict[str, list[float]] = {}
    for name, value in found:
        grouped.setdefault(name, []).append(value)
    return grouped


def sentences(results: Results, variant: str) -> list[str]:
    """One for each seed and each number or table of a variant's biases."""
    numbers_first = [
        _sentence(number, f"{variant}, seed {number.seed}, {number.label}")
        for number in numbers(results, variant)
    ]
    return numbers_first + [
        f"{variant}, seed {run['seed']}, {label}: {array['size']:,} numbers, root of their mean"
        f" square {array['initial_rms']:.3g} at the start, {array['final_rms']:.3g} at the end."
        for run in results.of_variant(variant)
        for label, array in run["bias"].get("arrays", {}).items()
    ]


def _sentence(number: Number, label: str) -> str:
    if number.initial is None:
        return f"{label}: {number.final:.3g} at the end."
    ends = f"{label}: {number.initial:.3g} at the start, {number.final:.3g} at the end"
    return f"{ends}; {strength_meaning(number)}." if number.name == STRENGTH else f"{ends}."


def strength_meaning(number: Number) -> str:
    """How far a strength moved of what it could, and what training did with it if it could."""
    initial, final = number.initial or 0.0, number.final
    moved = "" if number.reach is None else f"moved by {abs(final - initial):.2g} of about"
    if number.stuck:
        return (
            f"{moved} {number.reach:.2g} that its learning rates add up to: it could not have gone"
            " to 0, so where it ended says little"
        )
    ratio = final / initial if initial else math.inf
    if ratio >= TURNED_UP:
        meaning = "training turned the bias up"
    elif ratio <= TURNED_DOWN:
        meaning = "training turned the bias down, towards switched off"
    else:
        meaning = "training left the bias about as strong as it began"
    if final < 0 and number.negative:
        meaning += f"; below 0, {number.negative}"
    return f"{moved} {number.reach:.2g} in reach; {meaning}" if moved else meaning
