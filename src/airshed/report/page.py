"""Putting the page together: figures, tables, HTML and Markdown."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from airshed.config import Study
from airshed.integrity.atomic import atomic_path, write_text
from airshed.progress import progress
from airshed.report import unfinished
from airshed.report.answer import question
from airshed.report.drawing import Shown, show
from airshed.report.figures.style import apply_style
from airshed.report.latex import write_tables
from airshed.report.loading import load_results
from airshed.report.outline import SECTIONS, figure_kind
from airshed.report.results import Results
from airshed.report.sections import BUILDERS

TEMPLATES = files("airshed.report") / "templates"


def build_report(
    study: Study,
    results: Path,
    data: Path,
    html: Path,
    markdown: Path,
    figures: Path,
    tables: Path,
) -> None:
    """Write the report of a finished study.

    Args:
        study: The resolved study.
        results: Its folder, with ``scores.csv``, ``comparisons.csv`` and ``variants/``.
        data: The folder of the prepared data, with static fields and ``ingest.json``.
        html: The page: one file that needs no other and no network.
        markdown: The same in Markdown, with links to ``figures``.
        figures: Folder of the figures as PNG and SVG, with their data as CSV.
        tables: Folder of the tables for a paper, LaTeX.

    Raises:
        AirshedError: A result is missing or cannot be read.
    """
    write_report(load_results(study, results, data), html, markdown, figures, tables)


def write_report(found: Results, html: Path, markdown: Path, figures: Path, tables: Path) -> None:
    """Write the report of results that are at hand; see :func:`build_report`."""
    with atomic_path(figures) as folder:
        folder.mkdir()
        shown = _draw(found, folder)
    with atomic_path(tables) as folder:
        folder.mkdir()
        write_tables(found, folder)
    page = {
        "study": found.study,
        "question": question(found),
        "simulated": found.simulated,
        "partial": unfinished.sentence(found),
        "sections": _sections(found, shown),
        "figures_folder": figures.name,
    }
    write_text(html, render("report", "html", page | inlined()))
    write_text(markdown, render("report", "md", page))


def _draw(results: Results, folder: Path) -> list[Shown]:
    """Draw every figure that this study has."""
    apply_style()
    drawings = (drawing for name in SECTIONS for drawing in BUILDERS[name].drawings(results))
    return [show(drawing, folder) for drawing in progress(drawings, "figures of the report")]


def _sections(results: Results, shown: list[Shown]) -> list[dict[str, Any]]:
    """Name, title, content and figures of every section that this study has something for."""
    return [
        {
            "name": name,
            "title": title,
            "content": content,
            "figures": [figure for figure in shown if figure_kind(figure.name).section == name],
        }
        for name, title in SECTIONS.items()
        if (content := BUILDERS[name].content(results)) is not None
    ]


def render(name: str, form: str, page: dict[str, Any]) -> str:
    """A page as ``html`` or ``md``; both forms offer the same macros to templates."""
    # Markdown is escaped by its filter instead
    environment = Environment(  # nosec B701
        loader=PackageLoader("airshed.report"),
        autoescape=form == "html",  # noqa: S701
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["plain"] = _plain_markdown
    macros = environment.get_template(f"macros.{form}.jinja").make_module(page)
    text = environment.get_template(f"{name}.{form}.jinja").render(page | {"m": macros})
    return text if form == "html" else re.sub(r"\n{3,}", "\n\n", text)


def _plain_markdown(text: str) -> str:
    """Text in which Markdown finds no end of a cell, no HTML and no emphasis."""
    escaped = text.replace("\\", "\\\\").replace("<", "&lt;")
    for character in "|*`":
        escaped = escaped.replace(character, f"\\{character}")
    return escaped


def inlined() -> dict[str, str]:
    """Style and script, with the checksums by which the page's security policy knows them."""
    parts: dict[str, str] = {}
    for key, name in (("css", "style.css"), ("js", "table.js")):
        text = (TEMPLATES / name).read_text(encoding="utf-8")
        digest = hashlib.sha256(text.encode("utf-8")).digest()
        parts |= {key: text, f"{key}_sha256": base64.b64encode(digest).decode("ascii")}
    return parts
