"""The page that ``airshed inspect`` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from airshed.data.inspect.inspection import Inspection
from airshed.errors import AirshedError
from airshed.variables import STATIC

SHOWN = 8  # gaps, hours or problems of one kind in the text; JSON holds all
ALIKE = 12  # further places of one problem: all variables of a file
COLUMNS = ("variable", "stored as", "unit attribute", "dimensions", "type", "min", "mean", "max")


def as_text(found: Inspection) -> str:
    """Everything that was found, for people."""
    lines = [str(found.path), *_holdings(found)]
    if found.hours is not None:
        lines += ["", "Hours", *_hours(found.hours), *_clock(found.clock)]
    if found.grid is not None:
        lines += ["", "Grid", *_grid(found.grid)]
    if found.conversions:
        lines += ["", "Quantities", *(_row(*item) for item in found.conversions.items())]
    if found.variables:
        lines += ["", "Variables", *_table(found, [seen.as_dict() for seen in found.variables])]
    for store in found.stores:
        lines += ["", f"Yearly store {store['path']}"]
        lines += _hours(store["hours"]) if store.get("hours") else []
        lines += _grid(store["grid"]) if "grid" in store else []
        lines += _table(found, store["variables"]) if "variables" in store else []
    if found.findings.remarks:
        lines += ["", "Remarks", *_remarks(found.findings.remarks)]
    return "\n".join([*lines, "", *_verdict(found)])


def _holdings(found: Inspection) -> Iterator[str]:
    forms = ", ".join(f"{count} x {form}" for form, count in sorted(found.files.forms.items()))
    yield _row("holds", f"{forms or 'nothing'}, {found.files.size_bytes / 1e6:,.1f} MB")
    if days := list(found.files.days):
        yield _row("days", f"{days[0]} to {days[-1]}, {len(days)} by names of files")


def _hours(hours: dict[str, Any]) -> Iterator[str]:
    if hours["expected"]:
        yield _row(
            "period", f"{_hour(hours['first'])} to {_hour(hours['last'])} ({hours['clock']})"
        )
    taken = hours.get("hours_taken_from_names_of_archives", 0)
    assumed = f"; {taken} of them in archives that were not opened (--all opens every one)"
    yield _row("expected", f"{hours['expected']}")
    yield _row("found", f"{hours['found']}{assumed if taken else ''}")
    gaps = hours["gaps"]
    runs = f" in {len(gaps)} gaps" if len(gaps) > 1 else ""
    yield _row("missing", f"{hours['missing']}{runs}")
    for gap in sorted(gaps, key=lambda gap: -gap["hours"])[:SHOWN]:
        yield _row("", f"{_hour(gap['start'])} to {_hour(gap['end'])}, {gap['hours']} h")
    if len(gaps) > SHOWN:
        yield _row("", f"and {len(gaps) - SHOWN} shorter ones")
    if sampled := hours.get("sampled"):
        some = ", ".join(map(_hour, sampled[:SHOWN]))
        more = f", and {len(sampled) - SHOWN} more" if len(sampled) > SHOWN else ""
        yield _row("looked at", f"{some}{more}")


def _clock(clock: dict[str, Any]) -> Iterator[str]:
    if cycle := clock.get("daily_cycle_of_temperature"):
        yield _row(
            "clock",
            f"air is warmest at {cycle['warmest_hour']} h by the names; by UTC it would be about"
            f" {cycle['expected_hour_utc']} h: names look"
            f" {cycle['likely_offset_h']:+d} h ahead (dataset.utc_offset_h), give or take 2 h",
        )
    if ahead := clock.get("names_ahead_of_time_coordinate_h"):
        some = ", ".join(f"{hours:g}" for hours in ahead[:SHOWN])
        yield _row("clock", f"names are ahead of the files' own time coordinate by {some} h")


def _grid(grid: dict[str, Any]) -> Iterator[str]:
    yield _row("grid", f"{grid['rows']} x {grid['columns']}, rows {grid['row_order']}")
    if "kind" in grid:
        yield _row("kind", grid["kind"])
        for name, km in grid["spacing_km"].items():
            text = f"{km['median']:g} km between {name} ({km['min']:g} to {km['max']:g})"
            yield _row("spacing", text)
    for name, (lat, lon) in grid["corners_lat_lon"].items():
        yield _row("corner", f"{lat:.3f} N {lon:.3f} E, {name.replace('_', ' ')}")


def _table(found: Inspection, variables: list[dict[str, Any]]) -> Iterator[str]:
    used = (*found.quantities.hourly, *STATIC)
    order = {name: number for number, name in enumerate(used)}
    rows = [(*COLUMNS, "range in", "missing")]
    for each in sorted(variables, key=lambda each: order.get(each["name"], len(order))):
        missing = each["missing_share"]
        rows.append(
            (
                each["name"] if each["name"] in used else "(not used)",
                each["stored_as"],
                " | ".join(units or "none" for units in each["units"]),
                each["dimensions"],
                each["dtype"],
                *(_number(each[key]) for key in ("minimum", "mean", "maximum")),
                each["range_units"] or ("unknown unit" if missing is not None else "-"),
                "-" if missing is None else f"{missing:.1%}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [text.ljust(width) for text, width in zip(row, widths, strict=True)]
        yield "  " + "  ".join(cells).rstrip()


def _remarks(remarks: dict[str, list[str]]) -> Iterator[str]:
    for text, places in remarks.items():
        yield f"  - {text}" + (f" ({len(places)} times, first:)" if len(places) > 1 else "")
        yield f"      {places[0]}"


def _verdict(found: Inspection) -> Iterator[str]:
    if found.accepted:
        yield f"Nothing that was inspected would be refused{_looked(found)}."
        return
    kinds: dict[tuple[str, ...], list[tuple[AirshedError, int]]] = {}
    for problem, times in found.findings.counted():
        alike = (problem.what, *(problem.details.get(key, "") for key in ("expected", "found")))
        kinds.setdefault(alike, []).append((problem, times))
    yield f"Would be refused ({len(kinds)}{_looked(found)})"
    shown: Counter[str] = Counter()
    for (what, *_), members in kinds.items():
        shown[what] += 1
        if shown[what] <= SHOWN:
            yield from _problem(members)
    if hidden := sum(max(0, count - SHOWN) for count in shown.values()):
        yield f"  and {hidden} more of the same kinds; --json writes all of them"
    if units := found.likely_units():
        stated = ", ".join(f"{name}: {_quoted(unit)}" for name, unit in units.items())
        yield ""
        yield "Units that would fit the ranges, for the study; compare them with the data's own"
        yield "documentation before you state them:"
        yield f"  dataset: {{units: {{{stated}}}}}"


def _looked(found: Inspection) -> str:
    if found.hours is None:
        return ""
    opened, days = found.hours["days_opened"], found.hours.get("days", len(found.files.days))
    return f", in {len(found.hours['sampled'])} hours of {opened} of {days} days"


def _problem(members: list[tuple[AirshedError, int]]) -> Iterator[str]:
    """A problem, and other places with the same."""
    (problem, times), *others = members
    first, *details = problem.render().splitlines()
    yield f"  - {first}" + (f" ({times} times, first:)" if times > 1 else "")
    yield from (f"    {line}" for line in details)
    for other, _ in others[:ALIKE]:
        yield f"      also:     {other.details.get('where', '')}"
    if len(others) > ALIKE:
        yield f"      and {len(others) - ALIKE} more; --json writes all of them"


def _row(label: str, text: str) -> str:
    return f"  {label:<10} {text}"


def _hour(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _quoted(unit: str) -> str:
    return f'"{unit}"' if "%" in unit else unit
