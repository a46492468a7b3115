"""A comparison as data frames, for those who work in Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd

from airshed.side_by_side.document import Document
from airshed.side_by_side.log_comparison import compare_logs
from airshed.side_by_side.run_comparison import compare_runs


@dataclass(frozen=True)
class Comparison:
    """The result of ``airshed compare`` for B against A.

    Attributes:
        title: What is compared with what.
        simulated: Whether the data are known to be simulated.
        answers: Sentences with the outcome.
        limits: Sentences: what cannot be concluded.
        changes: Changes of RMSE with intervals and verdicts, the columns of ``comparisons.csv``;
            empty for logs and for runs without scores.
        tables: The tables that the command prints, as text, by their titles.
    """

    title: str
    simulated: bool
    answers: Sequence[str]
    limits: Sequence[str]
    changes: pd.DataFrame
    tables: dict[str, pd.DataFrame]

    @classmethod
    def of(cls, document: Document) -> Comparison:
        """The content of a comparison that can be printed."""
        return cls(
            document.title,
            document.simulated,
            document.answers,
            document.limits,
            _typed(document.data["comparisons"]) if document.data else pd.DataFrame(),
            {
                section.title: pd.DataFrame(section.table.rows, columns=section.table.header)
                for section in document.sections
            },
        )


def _typed(comparisons: pd.DataFrame) -> pd.DataFrame:
    """A table as :func:`airshed.comparison.table.read_comparisons` reads it."""
    return comparisons.astype({"horizon_h": str}).replace("", np.nan).infer_objects()


def compare(
    a: str | PathLike[str],
    b: str | PathLike[str],
    reference: str | None = None,
    variant: str | None = None,
) -> Comparison:
    """Compare B with A, as ``airshed compare`` does.

    Args:
        a: Folder of a run, a variant or a study: the reference; or the log of a Lightning training.
        b: The same for what is compared with it.
        reference: Variant of A that is meant, if it is a study with several.
        variant: Variant of B that is meant, if it is a study with several.

    Raises:
        AirshedError: Nothing finished is there, or the two do not forecast the same.
    """
    one, other = Path(a), Path(b)
    if one.is_file() and other.is_file():
        return Comparison.of(compare_logs(one, other))
    return Comparison.of(compare_runs(one, other, reference, variant))
