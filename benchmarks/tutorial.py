"""``docs/tutorial.ipynb`` run on the demo, with what comes out kept in it: ``make tutorial``."""

from __future__ import annotations

import os
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import nbformat

TUTORIAL = Path("docs/tutorial.ipynb")
CODE = "sha256_of_code"
"""Where the notebook keeps which code its outputs are of."""
METADATA: dict[str, Any] = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
"""What is the same on all machines."""


def checksum_of_code(notebook: Any) -> str:
    """That of all cells of code together."""
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    return sha256(code.encode()).hexdigest()


def main() -> None:
    """Execute all cells in a kernel, without the study that they add."""
    from nbclient import NotebookClient  # only this needs it

    os.environ.pop("AIRSHED_STUDY", None)
    shutil.rmtree("results/tutorial", ignore_errors=True)
    notebook = nbformat.read(TUTORIAL, as_version=4)
    NotebookClient(notebook, kernel_name="python3", record_timing=False).execute()
    notebook.metadata = METADATA | {CODE: checksum_of_code(notebook)}
    nbformat.write(notebook, TUTORIAL)


if __name__ == "__main__":
    main()
