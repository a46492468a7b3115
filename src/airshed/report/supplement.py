"""Tables of the report for stations, other people's forecasts and episodes."""

from __future__ import annotations

import pandas as pd

from airshed.report.results import Results
from airshed.report.tables import MISSING, Table

STATIONS_CAPTION = (
    "RMSE against observations, pooled over stations and samples, mean of seeds. Within height:"
    " over the stations no further above or below their cell than the study's tolerance."
    " Reanalysis: what is observed in all other tables, scored at the same stations and hours;"
    " stations that it assimilated are not independent of it."
)
REJECTED_CAPTION = (
    "Values of tables of observations that were rejected, by pollutant; stations/quality.json has"
    " all counts."
)
LEFT_OUT_CAPTION = "Stations at which nothing is scored."
SHOWN = 12  # names of stations
EXTERNAL_CAPTION = (
    "RMSE of every forecast (mean of seeds) on exactly the samples of the external one that the row"
    " names."
)
EPISODES_CAPTION = "RMSE in the days and region of each episode, mean of seeds."


def stations(results: Results) -> Table:
    """Scores at stations; no rows without stations."""
    found = results.supplement.get("stations")
    header = ["pollutant", "forecast", "horizon", "stations", "RMSE", "within height", "reanalysis"]
    if found is None:
        return Table(header, [])
    keys = ["pollutant", "name", "horizon_h"]
    used = {name: rows.groupby(keys, sort=False) for name, rows in found.groupby("stations_used")}
    within = used["height_within"]["rmse"].mean() if "height_within" in used else pd.Series()
    every = used["all"][["stations", "rmse", "reanalysis_rmse"]].mean()
    rows = [
        [
            results.with_units(str(key[0])),
            str(key[1]),
            f"{key[2]} h",
            f"{row['stations']:.0f}",
            f"{row['rmse']:.4g}",
            f"{within[key]:.4g}" if key in within.index else MISSING,
            f"{row['reanalysis_rmse']:.4g}",
        ]
        for key, row in every.sort_index(level=[0, 2], sort_remaining=False).iterrows()
        if isinstance(key, tuple)
    ]
    return Table(header, rows)


def rejected(results: Results) -> Table:
    """Values of tables of observations that were rejected, by reason; no rows if all were."""
    targets = results.study.targets
    quality = results.observed or {}
    counts = quality.get("rejected", quality.get("not_believed", {}))  # its name in older results
    rows = [
        [reason.replace("_", " "), *(f"{counts[reason].get(name, 0):,}" for name in targets)]
        for reason in sorted(counts)
    ]
    return Table(["reason", *targets], rows)


def left_out(results: Results) -> Table:
    """Stations that no forecast is scored at, by reason; no rows if there are none."""
    stations = (results.observed or {}).get("stations", {}).get("left_out", {})
    rows = [
        [reason.replace("_", " "), f"{len(names):,}", _some(names)]
        for reason, names in sorted(stations.items())
        if names
    ]
    return Table(["reason", "stations", "which"], rows)


def _some(names: list[str]) -> str:
    more = f", and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def external(results: Results) -> Table:
    """All forecasts on the samples of each external one; no rows without one."""
    return _side_by_side(results, "external", "external")


def episodes(results: Results) -> Table:
    """Scores in episodes; no rows without one."""
    return _side_by_side(results, "episodes", "episode")


def _side_by_side(results: Results, section: str, what: str) -> Table:
    """RMSE by a first column, pollutant and horizon; a column for each forecast."""
    found = results.supplement.get(section)
    if found is None:
        return Table([], [])
    names = list(dict.fromkeys(found["name"]))
    keys = [what, "pollutant", "horizon_h"]
    rmse = found.groupby([*keys, "name"])["rmse"].mean()
    rows = [
        [
            str(first),
            results.with_units(str(pollutant)),
            f"{horizon} h",
            f"{group['samples'].min()}",
            *(_shown(rmse.get((first, pollutant, horizon, name))) for name in names),
        ]
        for (first, pollutant, horizon), group in found.groupby(keys, sort=False)
    ]
    return Table([what, "pollutant", "horizon", "samples", *names], rows)


def _shown(value: float | None) -> str:
    return MISSING if value is None or pd.isna(value) else f"{value:.4g}"
