"""The products of a study: the one list of what is made, by which rule, and from what.

Which settings shape a product is declared beside each setting (:mod:`airshed.config`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airshed.integrity.formats import (
    COMPARISON,
    COST,
    ENSEMBLE,
    INGEST,
    INTERPRETATION,
    OBSERVATIONS,
    RUN,
    SCORES,
    STORE,
    Format,
)

if TYPE_CHECKING:
    from airshed.config import Study


@dataclass(frozen=True)
class Product:
    """A file or folder that a step makes.

    Attributes:
        rule: The rule that makes it; empty for what is read off earlier results.
        words: What it is called in tables and messages.
        made_from: Other products that its rule reads.
        format: Its format; a new version makes it anew. None: it has no version of its own.
        whole: Whether its step reads the whole study; only declared settings shape it all the same.
        departing: Further products that its rule reads in a study whose networks depart from
            damped persistence.
    """

    rule: str
    words: str
    made_from: tuple[str, ...] = ()
    format: Format | None = None
    whole: bool = False
    departing: tuple[str, ...] = ()


FIELDS = ("hourly", "static")
PREPARED = (*FIELDS, "patch_elevation", "statistics", "scan_tables")
ALL_SCORES = ("scores", "baseline", "external")
TABLES = (
    *("comparison", "interventions_table", "strata"),
    *("stations_table", "episodes_table", "external_table"),
)
SCORED = (*FIELDS, "climatology", "observations")

PRODUCTS = {
    "raw": Product("simulate", "simulated raw data"),
    "hourly": Product("ingest", "the ingest", ("raw",), INGEST),
    "static": Product("static_fields", "static fields", ("raw", "hourly"), STORE),
    "patch_elevation": Product("patch_elevation", "pooled elevation", ("static",), STORE),
    "statistics": Product("statistics", "statistics", FIELDS, STORE),
    "scan_tables": Product("scan_tables", "scan tables", (), STORE),
    "climatology": Product("climatology", "climatology", FIELDS, STORE),
    "damping": Product("damping", "damped persistence", (*FIELDS, "climatology"), STORE),
    "wind_roses": Product("wind_roses", "wind roses", FIELDS, STORE),
    "observations": Product("stations", "observations", ("static",), OBSERVATIONS),
    "training": Product("train", "trainings", PREPARED, RUN, departing=("climatology", "damping")),
    "scores": Product("evaluate", "scores of trainings", (*SCORED, "training", *PREPARED), SCORES),
    "interventions": Product(
        "intervene",
        "scores under interventions",
        (*FIELDS, "climatology", "training", *PREPARED),
        SCORES,
    ),
    "ensemble": Product(
        "ensemble", "scores of ensembles", (*FIELDS, "training", *PREPARED), ENSEMBLE
    ),
    "baseline": Product("baseline", "scores of baselines", (*SCORED, "damping"), SCORES),
    "external": Product("external", "scores of other forecasts", SCORED, SCORES),
    "interpretation": Product(
        "interpret", "interpretation", (*PREPARED, "training"), INTERPRETATION
    ),
    "pace": Product("", "what earlier runs say of the time of a step"),
    "cost": Product("measure_cost", "the measured cost", PREPARED, COST),
    "cost_table": Product("cost", "the table of costs", ("cost",), COST),
    "comparison": Product("compare", "the comparison", ALL_SCORES, COMPARISON),
    "interventions_table": Product(
        "interventions_table", "the table of interventions", ("scores", "interventions"), COMPARISON
    ),
    "strata": Product("score_tables", "scores by stratum", ALL_SCORES),
    "stations_table": Product("stations_summary", "scores at stations", ALL_SCORES),
    "episodes_table": Product("episodes_table", "scores in episodes", ALL_SCORES),
    "external_table": Product("external_table", "scores beside other forecasts", ALL_SCORES),
    "report": Product(
        "report",
        "the report",
        (*TABLES, "ensemble", "cost_table", "interpretation", "wind_roses", "climatology"),
        whole=True,
    ),
    "manifest": Product("manifest", "the manifest", ("report",), whole=True),
}


def made_from(name: str, study: Study | None = None) -> tuple[str, ...]:
    """The products that the rule of one reads, in a study; in every study if none is given."""
    product = PRODUCTS[name]
    departs = study is not None and study.model.departs_from == "damped_persistence"
    return product.made_from + (product.departing if departs else ())


def departed_from(study: Study) -> list[str]:
    """What trainings of a study read beside the prepared data of every network."""
    return [name for name in made_from("training", study) if name not in PREPARED]


def following(names: Collection[str], study: Study | None = None) -> set[str]:
    """The products that are made from these, directly or not, and these themselves."""
    found = set(names)
    for name in PRODUCTS:  # each stands after those that it is made from
        if found.intersection(made_from(name, study)):
            found.add(name)
    return found


def leading_to(name: str, study: Study | None = None) -> set[str]:
    """The products that one is made from, directly or not, and it itself."""
    return {name}.union(*(leading_to(part, study) for part in made_from(name, study)))
