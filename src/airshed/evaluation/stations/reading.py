"""Tables as files hold them: containers, encodings, separators, and lines before the header."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError  # nosec B405

import numpy as np
import pandas as pd

from airshed.errors import refusing
from airshed.evaluation.stations.columns import is_header, is_text
from airshed.files import is_apple_double

OPENERS: Mapping[str, Callable[..., Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
}
WORKBOOKS = (".xlsx", ".xlsm")
OLD_WORKBOOK = b"\xd0\xcf\x11\xe0"
ENCODINGS = ("utf-8-sig", "gb18030")
"""Tried in this order, each for the whole file: text of the second is hardly valid in the first."""
SEPARATORS = (",", ";", "\t")
MOST_BYTES = 2**32
HEAD_BYTES, HEAD_LINES = 2**20, 50  # in which the header must stand
BLOCK_BYTES = 2**20
READ_ERRORS = (
    OSError,
    ValueError,
    ImportError,
    EOFError,
    KeyError,
    RuntimeError,
    OverflowError,
    ParseError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    pd.errors.ParserWarning,
)
MISSING = ("", "na", "n/a", "#n/a", "nan", "none", "null", "-", "--", "—", "/")
"""What stands in place of a value that is not there, in lower case."""
MISSING_SPELT = sorted({s for word in MISSING for s in (word, word.upper(), word.title(), "NaN")})


def read_raw(path: Path) -> pd.DataFrame:
    """A table as it is, its columns named by its header; times and names are text.

    Raises:
        AirshedError: The file cannot be read.
    """
    with refusing(
        *READ_ERRORS,
        what="a table of observations cannot be read",
        where=path,
        expected="CSV in UTF-8, UTF-16 or GB18030, also compressed, a workbook (.xlsx), or Parquet",
        hint="fetch it again, or save it as one of these",
    ):
        if ".parquet" in path.suffixes:
            return pd.read_parquet(path)
        if path.suffix.lower() in WORKBOOKS:
            return _workbook(path)
        return _text_table(_unpacked(path))


def numbers(values: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Values as numbers, NaN where there is none; and which of them are text that is no number."""
    found = pd.to_numeric(values, errors="coerce")
    if pd.api.types.is_numeric_dtype(values):
        return found, pd.Series(False, index=values.index)
    text = values.where(found.isna() & values.notna(), "").astype(str)
    return found, ~text.str.strip().str.lower().isin(MISSING)


def _text_table(content: bytes) -> pd.DataFrame:
    encoding = _encoding(content)
    skipped, separator, names = _header(content[:HEAD_BYTES].decode(encoding, errors="replace"))
    form: dict[str, Any] = {"sep": separator, "skiprows": skipped, "encoding": encoding}
    with warnings.catch_warnings():
        # rows longer than the header: pandas would shift or cut them
        warnings.simplefilter("error", pd.errors.ParserWarning)
        table = pd.read_csv(
            BytesIO(content),
            dtype={name: "str" for name in names if is_text(name)},
            na_values=MISSING_SPELT,
            low_memory=False,
            index_col=False,
            **form,
        )
    written = [name for name in table if is_text(name) and table[name].hasnans]
    if written:  # a station may be called NA
        form |= {"usecols": written, "dtype": "str", "na_filter": False}
        table[written] = pd.read_csv(BytesIO(content), **form)
    return table


def _encoding(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"  # "Unicode text" of Excel
    if content.startswith(OLD_WORKBOOK):
        raise ValueError("a workbook of an old form (.xls)")
    errors = []
    for name in ENCODINGS:
        blocks = (content[at : at + BLOCK_BYTES] for at in range(0, len(content), BLOCK_BYTES))
        try:
            for _ in codecs.iterdecode(blocks, name):
                pass
        except UnicodeDecodeError as error:
            errors.append(error)
        else:
            return name
    raise errors[0]


def _header(head: str) -> tuple[int, str, list[str]]:
    """Number of lines before the header, the separator, and the names of columns.

    Where no line has names that are known, it is the first, as in plain CSV.
    """
    lines = re.split(r"\r\n|\r|\n", head)[:HEAD_LINES]
    for number, line in enumerate(lines):
        for separator in SEPARATORS:
            names = [cell.strip(' "') for cell in line.split(separator)]
            if is_header(names):
                return number, separator, names
    return 0, ",", lines[0].split(",")


def _workbook(path: Path) -> pd.DataFrame:
    """The one sheet of a workbook that holds a table."""
    with zipfile.ZipFile(path) as archive:
        _check_size(sum(member.file_size for member in archive.infolist()))
    sheets = pd.read_excel(
        path, sheet_name=None, header=None, dtype=object, keep_default_na=False, engine="openpyxl"
    )
    tables = {name: _below_header(sheet) for name, sheet in sheets.items()}
    found = [table for table in tables.values() if table is not None]
    if len(found) != 1:
        names = ", ".join(map(str, tables))
        raise ValueError(
            f"{len(found)} of its sheets have a header that is known, not one: {names}"
        )
    return found[0]


def _below_header(sheet: pd.DataFrame) -> pd.DataFrame | None:
    head = sheet.head(HEAD_LINES).to_numpy()
    at = next((number for number, row in enumerate(head) if is_header(row)), None)
    if at is None:
        return None
    table = sheet.iloc[at + 1 :].reset_index(drop=True)
    names = [_as_written(cell) or f"Unnamed: {number}" for number, cell in enumerate(head[at])]
    if len(set(names)) < len(names):
        raise ValueError(f"a header that names a column twice: {', '.join(names)}")
    table.columns = pd.Index(names)
    for name in table.columns[[is_text(name) for name in table.columns]]:
        table[name] = table[name].map(_as_written)
    return table.replace("", np.nan)


def _as_written(cell: object) -> str:
    if isinstance(cell, float):
        return str(int(cell) if cell.is_integer() else cell)
    return "" if cell is None else str(cell)


def _unpacked(path: Path) -> bytes:
    """The whole content of a file: pandas itself takes a compressed one that is cut for whole."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            members = [
                member
                for member in archive.infolist()
                if not member.is_dir() and not is_apple_double(member.filename)
            ]
            if len(members) != 1:
                raise ValueError(f"{len(members)} files in it, where one is expected")
            _check_size(members[0].file_size)
            return archive.read(members[0])
    with OPENERS.get(path.suffix, open)(path, "rb") as stream:
        content: bytes = stream.read(MOST_BYTES + 1)
    _check_size(len(content))
    return content


def _check_size(size_bytes: int) -> None:
    if size_bytes > MOST_BYTES:
        raise ValueError(f"more than {MOST_BYTES:,} bytes")
