"""Which products each setting shapes, declared beside the setting and nowhere else.

Params of rules, the settings that a command is given, identities of products and the table of
docs/rerunning.md follow from it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from airshed.graph.products import PRODUCTS


class Shapes:
    """Annotation of a setting, or of a section for all its settings without one of their own.

    Args:
        products: What is made anew when the setting changes, and with it what is made from that.
        used_by: Products whose steps read the setting too, but whose result does not depend on it,
            or depends on it through another product.
        content: Whether the setting is a path of the user's files: then their content shapes the
            products, wherever the files are.
        within: For a section, annotations of single keys.
    """

    def __init__(
        self,
        *products: str,
        used_by: Collection[str] = (),
        content: bool = False,
        **within: Shapes,
    ) -> None:
        self.products, self.used_by = products, tuple(used_by)
        self.content, self.within = content, within
        unknown = sorted({*products, *used_by} - PRODUCTS.keys())
        if unknown:
            raise TypeError(f"Shapes names what is no product: {', '.join(unknown)}")


NOTHING = Shapes()
"""For settings of places and of how work is done, which no step reads."""


def declared(section: type[BaseModel], path: str = "", above: Shapes | None = None) -> Declared:
    """Every setting below a section by its dotted path, ``*`` standing for a name that users give.

    Raises:
        TypeError: A setting does not say what it shapes.
    """
    found: Declared = {}
    for name, field in section.model_fields.items():
        where = f"{path}.{name}".strip(".")
        own = next((part for part in field.metadata if isinstance(part, Shapes)), None)
        shapes = own or (above.within.get(name, above) if above else None)
        inner = list(_sections(field.annotation))
        for below, star in inner:
            found |= declared(below, where + star, shapes)
        if not inner:
            if shapes is None:
                raise TypeError(
                    f"the setting {where} does not say what it shapes: annotate it in"
                    " airshed.config, for example Annotated[int, Shapes('training')], or with"
                    " NOTHING if no result depends on it and no step reads it"
                )
            found[where] = shapes
    return found


Declared = dict[str, Shapes]


def _sections(annotation: Any, star: str = "") -> Iterator[tuple[type[BaseModel], str]]:
    """The sections that a field may hold, and ``.*`` where they have names of their own."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, star
        return
    if get_origin(annotation) is Annotated:
        yield from _sections(get_args(annotation)[0], star)
        return
    below = ".*" if get_origin(annotation) is dict else star
    for part in get_args(annotation):
        yield from _sections(part, below)
