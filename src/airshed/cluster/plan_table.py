"""The plan of a study as tables."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table

from airshed.cluster.measured import Measured
from airshed.cluster.plan import StudyPlan, VariantPlan
from airshed.cluster.table import console
from airshed.config.jobs import JobRequest


def show(plan: StudyPlan) -> None:
    """Print a plan."""
    console().print(Group(_rules(plan), "", _variants(plan), "", *_totals(plan)))


def _rules(plan: StudyPlan) -> Table:
    jobs = sum(rule.jobs for rule in plan.rules)
    table = _table(f"{plan.study}: {jobs} jobs are still to be done", ("rule",))
    for name in ("jobs", "hours x devices, at most", "memory asked, MB"):
        table.add_column(name, justify="right")
    for rule in plan.rules:
        table.add_row(rule.rule, str(rule.jobs), f"{rule.asked_h:.1f}", str(rule.mem_mb))
    return table


def _variants(plan: StudyPlan) -> Table:
    table = _table("Trainings: what earlier runs of the same work took", ("variant",))
    numbers = ("to train", "devices", "steps each", "s/step", "hours each", "device-hours")
    for name in (*numbers, "to score", "device-hours", "memory, MB", "disk each, MB"):
        table.add_column(name, justify="right")
    table.add_column("measured in")
    for row in plan.variants:
        table.add_row(*_cells(row))
    return table


def _cells(row: VariantPlan) -> list[str]:
    request, found = row.request, row.found
    return [
        row.variant,
        str(row.trainings),
        f"{request.nodes} x {request.devices}" if request.nodes > 1 else str(request.devices),
        str(row.steps),
        _number(found.seconds_per_step, 3),
        _number(row.hours_each, 2),
        _number(row.device_hours, 2),
        _scorings(row),
        _number(row.scoring_hours, 2),
        _memory(found, request),
        _number(found.disk_mb, 0),
        found.source,
    ]


def _totals(plan: StudyPlan) -> list[str]:
    known = [row for row in plan.variants if row.trainings and row.hours_each is not None]
    lines = []
    if known:
        lines.append(
            f"Expected for the trainings of {len(known)} variants: {plan.device_hours:.2f}"
            " device-hours, without validation and start."
        )
    if plan.unmeasured:
        lines.append(f"Not measured: {', '.join(plan.unmeasured)}. Run one seed first.")
    if plan.advice is not None:
        lines.append(str(plan.advice))
    if any(row.interventions for row in plan.variants):
        lines.append("To score: runs, + forecasts of the test split under interventions.")
    disk = [row.disk_mb for row in plan.variants if row.trainings]
    measured_mb = sum(size for size in disk if size is not None)
    if disk and None not in disk:
        lines.append(f"Disk for trainings: {measured_mb / 1e3:.2f} GB.")
    elif measured_mb:
        lines.append(f"Disk for trainings that were measured: {measured_mb / 1e3:.2f} GB.")
    lines.append(f"Disk for hourly fields: {plan.store}.")
    lines.append("Steps are those of a training split without missing hours.")
    return lines


def _scorings(row: VariantPlan) -> str:
    """Runs to score, and how many times more the test split is forecast under interventions."""
    more = f" + {row.interventions:.3g}" if row.interventions else ""
    return f"{row.evaluations}{more}"


def _memory(found: Measured, request: JobRequest) -> str:
    if found.device_memory_mb is not None:
        return f"{_number(found.device_memory_mb, 0)} on the device"
    return f"{_number(found.memory_mb, 0)} of {request.mem_mb}" if found.memory_mb else ""


def _table(title: str, names: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in names:
        table.add_column(name, no_wrap=True)
    return table


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"
