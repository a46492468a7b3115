"""The view that a step has of a study: the settings that it declares, and no others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, TypeAdapter

from airshed.config.base import Section
from airshed.config.shapes import Shapes
from airshed.config.study import DECLARED, Study
from airshed.graph.products import PRODUCTS

Model = TypeVar("Model", bound=BaseModel)

Products = frozenset[str]
Chosen = Mapping[str, Collection[str]]

KINDS: dict[str, Callable[[Shapes, Products], bool]] = {
    "shaping": lambda shapes, products: (
        not (shapes.content or products.isdisjoint(shapes.products))
    ),
    "work": lambda shapes, products: (
        not products.isdisjoint((*shapes.used_by, *(shapes.products if shapes.content else ())))
    ),
    "all": lambda shapes, products: not products.isdisjoint((*shapes.products, *shapes.used_by)),
}
"""Parts of a view: settings that shape the product, others that the step uses, and both."""


@dataclass(frozen=True)
class Wanted:
    """Settings by their dotted paths: single ones, whole sections, and sections that hold some."""

    whole: frozenset[str]
    touched: frozenset[str]


@cache
def wanted(products: Products, kind: str) -> Wanted:
    """The settings of some products, of one of KINDS."""
    chosen = {path for path, shapes in DECLARED.items() if KINDS[kind](shapes, products)}
    above = {path: _above(path) for path in DECLARED}
    touched = {section for path in chosen for section in above[path]}
    broken = {section for path in DECLARED.keys() - chosen for section in above[path]}
    return Wanted(frozenset(chosen | (touched - broken)), frozenset(touched))


def _above(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


def view(study: Study, product: str, kind: str = "all", chosen: Chosen | None = None) -> Study:
    """A study that holds only the settings that a product's step declares.

    Args:
        study: The resolved study, or a view of it.
        product: One of PRODUCTS.
        kind: One of KINDS.
        chosen: For sections whose keys users name, such as ``variant_stanzas``, the keys in the
            view; all of them by default.
    """
    if PRODUCTS[product].whole and kind == "all":
        return study
    return _cut(study, wanted(frozenset((product,)), kind), "", chosen or {})


def _cut(section: Model, settings: Wanted, path: str, chosen: Chosen) -> Model:
    part: dict[str, Any] = {}
    for name, value in section.__dict__.items():
        where = f"{path}.{name}".strip(".")
        if where in settings.whole or where in settings.touched:
            if isinstance(value, dict) and where in chosen:
                value = {key: value[key] for key in value if key in chosen[where]}
            part[name] = value if where in settings.whole else _part(value, settings, where, chosen)
    return _made(type(section), part)


def _part(value: Any, settings: Wanted, path: str, chosen: Chosen) -> Any:
    if isinstance(value, Section):
        return _cut(value, settings, path, chosen)
    if isinstance(value, dict):
        return {key: _part(inner, settings, f"{path}.*", chosen) for key, inner in value.items()}
    return value


def _made(model: type[Model], values: dict[str, Any]) -> Model:
    """A section that holds these values alone; they are valid already."""
    made = model.__new__(model)
    object.__setattr__(made, "__dict__", values)
    object.__setattr__(made, "__pydantic_fields_set__", set(values))
    object.__setattr__(made, "__pydantic_extra__", None)
    object.__setattr__(made, "__pydantic_private__", None)
    return made


def from_values(values: Mapping[str, Any]) -> Study:
    """The view whose plain values these are."""
    return _from_values(Study, values)


def _from_values(model: type[Model], values: Mapping[str, Any]) -> Model:
    return _made(model, {name: _valid(model, name, value) for name, value in values.items()})


def _valid(model: type[BaseModel], name: str, value: Any) -> Any:
    inner, named = _section_of(model.model_fields[name].annotation)
    if inner is None or value is None:
        return _adapter(model, name).validate_python(value)
    if named:
        return {key: _from_values(inner, part) for key, part in value.items()}
    return _from_values(inner, value)


def _section_of(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The one section that a field may hold, and whether there are several of it with names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    inner = [part for part in get_args(annotation) if part is not type(None)]
    if get_origin(annotation) is dict:
        return _section_of(inner[1])[0], True
    return _section_of(inner[0]) if len(inner) == 1 else (None, False)


@cache
def _adapter(model: type[BaseModel], name: str) -> TypeAdapter[Any]:
    return TypeAdapter(model.model_fields[name].rebuild_annotation())


def canonical(
    products: Collection[str], section: BaseModel, path: str = "", chosen: Chosen | None = None
) -> dict[str, Any]:
    """What shapes some products, as plain values.

    Defaults are left out, so that a key that is added later changes nothing.

    Args:
        products: Some of PRODUCTS.
        section: A study, or the section of one at ``path``.
        path: Where the section stands in a study.
        chosen: As for :func:`view`.
    """
    part = _cut(section, wanted(frozenset(products), "shaping"), path, chosen or {})
    return dict(_pruned(part.model_dump(mode="json", exclude_defaults=True)))


def digest(product: str, study: Study, chosen: Chosen | None = None) -> str:
    """Eight digits that stand for what shapes a product, and for the version of its format."""
    kind = PRODUCTS[product].format
    given = [kind and kind.version, canonical([product], study, chosen=chosen)]
    return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()[:8]


def _pruned(value: Any) -> Any:
    """Plain values without empty sections."""
    if not isinstance(value, dict):
        return value
    inner = {key: _pruned(part) for key, part in value.items()}
    return {key: part for key, part in inner.items() if part != {}}
