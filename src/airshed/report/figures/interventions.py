"""What trained networks notice, as a table of colours."""

from __future__ import annotations

import pandas as pd

from airshed.report import interventions as rows
from airshed.report import text
from airshed.report.drawing import Drawing
from airshed.report.figures.scores import coloured, common_scale
from airshed.report.results import Results


def interventions(results: Results) -> Drawing | None:
    """Overall change of RMSE under each intervention, one row a variant; None without any."""
    overall = rows.overall(results)
    if not overall:
        return None
    found = {(variant, name): row.to_dict() for (name, variant), row in overall.items()}
    names = results.study.interventions.apply
    variants = [name for name in results.study.variants if results.study.interventions_on(name)]
    table = pd.DataFrame(list(overall.values()))
    figure, panel = coloured(found, variants, names, common_scale(table), rows.NOT_READ)
    panel.set_xticks(range(len(names)), [name.replace("_", "\n") for name in names])
    panel.set_yticks(range(len(variants)), variants)
    changes = "; ".join(
        f"{variant}, {name}: {text.percent(float(row['relative_rmse_change']))}"
        for (name, variant), row in overall.items()
    )
    alt = f"A table of colours, one row a variant, one column an intervention: {changes}."
    return Drawing("interventions", figure, table, alt)
