"""Tables as LaTeX: structure, escaping, units; no TeX is needed to check them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from airshed.report.latex import LATEX, escaped, latex, write_tables
from airshed.report.loading import load_results
from airshed.report.tables import Table

Made = Any  # see conftest.py


@pytest.fixture(scope="module")
def written(finished: Made, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every file by its name."""
    folder = tmp_path_factory.mktemp("tables")
    write_tables(load_results(finished.study, finished.results, finished.data), folder)
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def rows(text: str) -> list[list[str]]:
    """Cells between the rules of booktabs, the header first."""
    header, body = text.split("\\toprule")[1].split("\\bottomrule")[0].split("\\midrule")
    lines = [line.strip().removesuffix("\\\\") for line in (header + body).strip().splitlines()]
    return [re.split(r"(?<!\\) & ", line) for line in lines if line]


def test_there_is_a_file_for_each_table(written: dict[str, str]) -> None:
    assert set(written) == {"ablation.tex", "rmse.tex", "change-physics_mask.tex"}


def test_every_file_is_one_table_that_plain_latex_takes(written: dict[str, str]) -> None:
    for name, text in written.items():
        code = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
        assert code.isascii(), name
        assert code.count("\\begin{table}") == code.count("\\end{tabular}") == 1
        depth = 0
        for brace in re.findall(r"(?<!\\)[{}]", code):
            depth += 1 if brace == "{" else -1
            assert depth >= 0
        assert depth == 0
        assert re.search(r"(?<!\\)[#_^]", re.sub(r"\\label\{[^}]*\}", "", code)) is None
        assert re.search(r"(?<!\\)%", code) is None
        assert len(re.findall(r"(?<!\\)\$", code)) % 2 == 0
        columns = re.search(r"\\begin\{tabular\}\{(l+)\}", code)
        assert columns is not None
        assert {len(row) for row in rows(code)} == {len(columns.group(1))}
        assert "\\caption{" in code
        assert "The data are simulated." in code


def test_the_numbers_are_those_of_the_comparison(written: dict[str, str]) -> None:
    ablation = {row[0].strip(): row for row in rows(written["ablation.tex"])}
    mask = ablation["physics\\_mask"]
    assert mask[2] == "$-$5.0~\\% ($-$7.1~\\% to $-$2.2~\\%)"
    assert mask[3] == "helps"
    change = rows(written["change-physics_mask.tex"])
    assert change[0] == ["pollutant", "12 h", "24 h "]
    assert change[1][:2] == ["PM2.5", "$-$5.0~\\% ($-$7.1~\\% to $-$2.2~\\%), helps"]
    assert len(change) == 1 + 6
    rmse = rows(written["rmse.tex"])
    unit = "($\\mu$g~m\\textsuperscript{$-$}\\textsuperscript{3})"
    assert rmse[1][:4] == [f"PM2.5~{unit}", "12 h", "10", "9.5 *"]


def test_every_special_character_is_escaped_once() -> None:
    assert escaped("a_b & 5 % of {x} ~ ^ \\ $1 #2 <b>") == (
        "a\\_b \\& 5 \\% of \\{x\\} \\textasciitilde{} \\textasciicircum{} \\textbackslash{}"
        " \\$1 \\#2 \\textless{}b\\textgreater{}"
    )
    assert all(str(written).isascii() for written in LATEX.values())


def test_text_cannot_leave_its_cell() -> None:
    text = latex(Table(["a", "b"], [["x & \\\\ \\end{tabular}", "\\input{secret}"]]), "c", "tab:c")
    assert len(rows(text)) == 2
    assert {len(row) for row in rows(text)} == {2}
    assert text.count("\\end{tabular}") == 1
    assert "\\input" not in text


def test_a_study_name_is_in_the_comment(written: dict[str, str], finished: Made) -> None:
    for text in written.values():
        assert finished.study.study in text.splitlines()[0]
        assert "booktabs" in text.splitlines()[1]
