"""The tables of config/README.md: every key with its type, default and meaning, and what it shapes.

All of it is read from the typed configuration; defaults of a study are those of config/config.yaml.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from airshed.config import json_schema, read_yaml
from airshed.config.base import Section
from airshed.config.study import DECLARED
from airshed.graph.products import PRODUCTS

DEFAULTS = Path(__file__).resolve().parents[1] / "config/config.yaml"
STANZAS = ("variant_stanzas", "intervention_stanzas")
MUST_BE_GIVEN = object()
HEAD = "| key | type | default | meaning | what it shapes |\n|---|---|---|---|---|"

Schema = dict[str, Any]


class Key(NamedTuple):
    """A key by its dotted path, ``*`` standing for a name that users give."""

    path: str
    schema: Schema
    default: Any
    kind: str
    """Of the section that it stands in, where there are several kinds of it; else empty."""


def keys_tables() -> str:
    """A table for each section of a study."""
    study = _section("Study")
    sections = [name for name, one in study.items() if _below(one)]
    single = [key for key in _keys(study) if "." not in key.path and key.path not in sections]
    tables = [_table(single)]
    for section in sections:
        if section not in STANZAS:
            within = (key for key in _keys(study) if f"{key.path}.".startswith(f"{section}."))
            tables.append(f"### `{section}`\n\n{_table(within)}")
    return "\n\n".join(tables)


def stanza_table(stanzas: str) -> str:
    """The table of a variant's or an intervention's stanza, keys without the path to it."""
    above = f"{stanzas}.*."
    return _table((key for key in _keys(_section("Study")) if key.path.startswith(above)), above)


def variant_table() -> str:
    """The keys of a variant's stanza."""
    return stanza_table("variant_stanzas")


def intervention_table() -> str:
    """The keys of an intervention's stanza."""
    return stanza_table("intervention_stanzas")


SCHEMA = json_schema()


def _section(name: str) -> Schema:
    """The keys of a section, each with the default that a factory makes."""
    whole: Schema = SCHEMA if name == "Study" else SCHEMA["$defs"][name]
    made = {
        key: {"default": field.default_factory()}  # type: ignore[call-arg]
        for key, field in _models(Section)[name].model_fields.items()
        if field.default_factory
    }
    return {key: schema | made.get(key, {}) for key, schema in whole["properties"].items()}


def _models(above: type[Section]) -> dict[str, type[Section]]:
    found = {above.__name__: above}
    for below in above.__subclasses__():
        found |= _models(below)
    return found


def _named(schema: Schema) -> Schema | None:
    """What stands under each name that users give."""
    below = [schema.get("additionalProperties"), *schema.get("patternProperties", {}).values()]
    return next((one for one in below if isinstance(one, dict)), None)


def _below(schema: Schema, star: str = "") -> list[tuple[str, str]]:
    """The sections that a key may hold, with ``.*`` where users name them."""
    found = [(schema["$ref"].rpartition("/")[2], star)] if "$ref" in schema else []
    for part in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        found += _below(part, star)
    named = _named(schema)
    return found + (_below(named, ".*") if named else [])


def _keys(section: Schema, path: str = "", kind: str = "") -> Iterator[Key]:
    """All keys below, each section that says what it is before its own."""
    for name, schema in section.items():
        where = f"{path}.{name}".strip(".")
        inner = _below(schema)
        if not inner or "description" in schema:
            yield Key(where, schema, schema.get("default", MUST_BE_GIVEN), kind)
        for below, star in inner:
            of = _section(below)
            one_of_several = of["kind"]["const"] if len(inner) > 1 and "kind" in of else ""
            yield from _keys(of, where + star, one_of_several)


def _table(keys: Iterable[Key], above: str = "") -> str:
    same: dict[str, list[Key]] = {}
    for key in keys:
        same.setdefault(key.path, []).append(key)
    rows = [_row(path, alike, above) for path, alike in same.items()]
    return "\n".join((HEAD, *(f"| {' | '.join(row)} |" for row in rows)))


def _row(path: str, alike: list[Key], above: str) -> tuple[str, ...]:
    shown = path.removeprefix(above).replace("*", "<name>")
    typed = _words({"anyOf": [key.schema for key in alike]})
    said = next((text for key in alike if (text := key.schema.get("description"))), "")
    return f"`{shown}`", typed, _default(path, alike), _linked(said), _shaped(path)


def _words(schema: Schema) -> str:
    """The type of a value as people say it."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(_words, schema["anyOf"])))
    if "const" in schema or "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if "prefixItems" in schema:
        return " and ".join(map(_words, schema["prefixItems"]))
    if schema.get("type") == "array":
        return f"list: {_words(schema['items'])}"
    if named := _named(schema):
        return f"{_words(named)}, by name"
    plain = {"integer": "whole number", "boolean": "`true` or `false`", "null": "`null`"}
    formats = {"date": "day", "date-time": "time"}
    kind = schema.get("type", "keys below")
    words = formats.get(schema.get("format", ""), plain.get(kind, kind)).replace("string", "text")
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    told = [f"{sign} {schema[name]:g}" for name, sign in bounds.items() if name in schema]
    return " ".join((words, " and ".join(told))).strip()


def _default(path: str, alike: list[Key]) -> str:
    given = _given(path, read_yaml(DEFAULTS))
    if given is not MUST_BE_GIVEN:
        return "" if isinstance(given, dict) and given else f"`{_flow(given)}`"
    kinds: dict[str, list[str]] = {}
    for key in alike:
        if key.default is not MUST_BE_GIVEN:
            kinds.setdefault(_flow(key.default), []).append(key.kind)
    if len(kinds) < 2:
        return "".join(f"`{value}`" for value in kinds) or "must be given"
    return ", ".join(f"`{value}` ({', '.join(of)})" for value, of in kinds.items())


def _given(path: str, values: Any) -> Any:
    """What config.yaml says of a key, if it does."""
    for name in path.split("."):
        if not isinstance(values, Mapping) or name not in values:
            return MUST_BE_GIVEN
        values = values[name]
    return values


def _flow(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), sort_keys=False)
    return text.removesuffix("...\n").strip()


def _linked(text: str) -> str:
    """Pages of docs/ that a meaning names become links."""
    text = " ".join(text.split()).replace("|", "\\|")
    return re.sub(r"\bdocs/([a-z-]+\.md)(#[a-z-]+)?", r"[docs/\1](../docs/\1\2)", text)


def _shaped(path: str) -> str:
    if path not in DECLARED:
        return ""  # a section: its keys say it
    shapes = DECLARED[path]
    made = ", ".join(PRODUCTS[name].words for name in shapes.products if PRODUCTS[name].rule)
    return f"{made}, by the files' content" if shapes.content else made or "nothing"
