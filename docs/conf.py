"""The site of these pages: ``make docs`` builds it into ``build/docs``.

Its source is the whole repository, so that README, the pages here and those beside the code link to
each other by their places, on a forge and on the site alike. Nothing is fetched, neither when the
site is built nor when it is read.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from pygments.lexers.python import PythonLexer
from sphinx.application import Sphinx

from airshed.garbage import look_rarely_for_garbage

look_rarely_for_garbage()

project = "Airshed"
author = "The Airshed developers"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

root_doc = "docs/README"
include_patterns = ["*.md", "benchmarks/*.md", "config/*.md", "docs/**"]
exclude_patterns = [".*", "build", "results", "src", "tests", "workflow"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # a notebook is shown with the outputs that it has

autodoc_member_order = "bysource"
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!airshed\.)(?!Airshed).*")]  # the names of other packages

html_theme = "furo"
html_title = "Airshed"
html_extra_path = ["site"]  # its first page leads to docs/README.html
html_static_path = ["static"]
html_css_files = ["wide.css"]
html_copy_source = False
html_math_renderer = "mathml"
pygments_style = "default"
highlight_language = "none"

LISTS = (root_doc, "docs/decisions/README")
"""Pages whose lists of links are the order of the pages."""


def setup(app: Sphinx) -> None:
    """Tell Sphinx of what follows."""
    app.connect("source-read", order_by_lists)
    app.add_html_math_renderer("mathml", (inline_math, None), (block_math, None))
    app.add_lexer("snakemake", PythonLexer)


def order_by_lists(app: Sphinx, docname: str, source: list[str]) -> None:
    """Each list of links is the table of contents of its section, which is stated nowhere else."""
    if docname not in LISTS:
        return
    opening, *sections = re.split(r"^## ", source[0], flags=re.MULTILINE)
    for section in ("\n" + opening, *sections):
        caption = section.partition("\n")[0]
        pages = re.findall(r"^- \[([^]]+)\]\(([^)]+)\)", section, re.MULTILINE)
        if pages:
            entries = "\n".join(f"{title} <{page}>" for title, page in pages)
            options = f":hidden:\n:caption: {caption}\n" if caption else ":hidden:\n"
            source[0] += f"\n\n```{{toctree}}\n{options}\n{entries}\n```\n"


def inline_math(writer: Any, node: nodes.math) -> None:
    """A formula as MathML, which browsers show without a script."""
    writer.body.append(convert(node.astext()))
    raise nodes.SkipNode


def block_math(writer: Any, node: nodes.math_block) -> None:
    """A formula on lines of its own."""
    writer.body.append(convert(node.astext(), display="block"))
    raise nodes.SkipNode
