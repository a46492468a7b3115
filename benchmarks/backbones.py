"""The report of the study ``backbones``, kept in docs/backbones/ (``make backbones``).

What is kept is the page with its figures, except for the maps, and its tables as CSV: comparisons,
cost, and RMSE and MAE of every training.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd

STUDY, PAGE = Path("results/backbones"), Path("docs/backbones")
LEFT_OUT = "Maps"  # a map for each variant, larger than all the rest
METRICS = ("rmse", "mae")


def keep(study: Path, page: Path) -> None:
    """Copy the page, the figures that it shows, and its tables; what was there before goes."""
    shutil.rmtree(page, ignore_errors=True)
    (page / "figures").mkdir(parents=True)
    sections = (study / "report.md").read_text(encoding="utf-8").split("\n## ")
    text = "\n## ".join(part for part in sections if not part.startswith(LEFT_OUT))
    (page / "README.md").write_text(text, encoding="utf-8")
    for name in sorted(set(re.findall(r"\]\((figures/[\w.-]+)\)", text))):
        shutil.copy(study / name, page / name)
    for name in ("comparisons.csv", "cost.json"):
        shutil.copy(study / name, page / name)
    scores = pd.read_csv(study / "scores.csv")
    scores[scores["metric"].isin(METRICS)].to_csv(page / "scores.csv", index=False)


if __name__ == "__main__":
    keep(STUDY, PAGE)
