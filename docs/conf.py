"""The site of these pages: ``make docs`` builds it into ``build/docs``.

Its source is the whole repository, so that README, the pages here and those beside the code link to
each other by their places, on a forge and on the site alike.
"""

from __future__ import annotations

project = "Airshed"
author = "The Airshed developers"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

root_doc = "docs/README"
include_patterns = ["*.md", "config/*.md", "benchmarks/*.md", "docs/**"]
exclude_patterns = [".*", "build", "results", "src", "tests", "workflow", "**/__pycache__"]

myst_heading_anchors = 4
nb_execution_mode = "off"

autodoc_typehints = "signature"
napoleon_google_docstring = True
nitpicky = True

html_theme = "pydata_sphinx_theme"
html_title = "Airshed"
html_copy_source = False
html_show_sourcelink = False
