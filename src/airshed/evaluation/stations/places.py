"""Where stations are: from a list of them, or from the observations themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from airshed.evaluation.stations.columns import POSITIONS, named
from airshed.evaluation.stations.reading import read_raw
from airshed.evaluation.stations.tables import lacking

SAME_PLACE_DEG = 0.01
PLACE = ["latitude", "longitude"]
ALL = ("station", *POSITIONS)


def read_positions(path: Path) -> pd.DataFrame:
    """Positions of stations, each once as often as the list says something else of it.

    Returns:
        Index ``station``; columns ``latitude``, ``longitude``, ``elevation``.

    Raises:
        AirshedError: The file cannot be read, or a column that is needed is missing.
    """
    raw = read_raw(path)
    columns = named(raw)
    for needed in ("station", *PLACE):
        if needed not in columns:
            raise lacking(path, needed, raw)
    table = pd.DataFrame({name: raw[columns[name]] for name in columns if name in ALL})
    return _places(table).set_index("station")


class Positions:
    """Where stations are, from lists of places and from the observations themselves.

    Args:
        listed: What :func:`read_positions` gives; it comes before what observations say.
    """

    def __init__(self, listed: pd.DataFrame | None) -> None:
        self._listed = [] if listed is None else [listed.reset_index()]
        self._seen: list[pd.DataFrame] = []

    def add(self, table: pd.DataFrame) -> None:
        """Note the positions that a table of observations has."""
        if set(PLACE) <= set(table.columns):
            self._seen.append(_places(table))

    def table(self, stations: Sequence[str]) -> tuple[pd.DataFrame, dict[str, list[str]]]:
        """Positions of stations, and the stations left out, by reason.

        A station that stands at two places more than 0.01 degrees apart is left out: which of its
        values belong to which place is not known well enough. What the list says of a station
        stands against what observations say.
        """
        listed, twice = _first(self._listed)
        seen, moved = _first(self._seen)
        twice |= moved - set(listed.index)
        wanted = listed.combine_first(seen).reindex(list(stations))
        unknown = wanted[PLACE].isna().any(axis=1)
        left_out = {
            "at_two_places": [name for name in stations if name in twice],
            "without_a_position": [name for name in stations if unknown[name]],
        }
        return wanted[~(unknown | wanted.index.isin(twice))], left_out


def _places(table: pd.DataFrame) -> pd.DataFrame:
    """The different positions of stations in a table, as text and numbers."""
    places = table.reindex(columns=list(ALL)).drop_duplicates()
    places["station"] = places["station"].astype("str").fillna("").str.strip()
    for name in POSITIONS:
        places[name] = pd.to_numeric(places[name], errors="coerce")
    return places.drop_duplicates()


def _first(tables: Sequence[pd.DataFrame]) -> tuple[pd.DataFrame, set[str]]:
    """The first known position of each station, and the stations that are at two places."""
    if not tables:
        return pd.DataFrame(columns=list(POSITIONS), dtype=float).rename_axis("station"), set()
    grouped = pd.concat(tables).groupby("station")[list(POSITIONS)]
    apart = (grouped.max() - grouped.min())[PLACE] > SAME_PLACE_DEG
    return grouped.first(), set(apart.index[apart.any(axis=1)])
