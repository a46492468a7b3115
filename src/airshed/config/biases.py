"""Configuration of attention biases: a section for each that :mod:`airshed.biases` registers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import Field, create_model

from airshed.biases import BIASES, Registered
from airshed.config.base import Section

BlockIndex = Annotated[int, Field(ge=0)]
Blocks = Literal["all"] | list[BlockIndex]


class NoBias(Section):
    """Plain attention."""

    kind: Literal["none"] = "none"
    """What is added to attention scores: docs/variants.md#attention-biases has each."""


class InFirstBlock(Section):
    """A bias that is added in the first block unless the stanza says otherwise."""

    blocks: Blocks = Field(default_factory=lambda: [0])
    """`all`, or a list of block numbers from 0."""


def _section(kind: str, bias: Registered) -> type[Section]:
    """The section of a bias, named after its class."""
    fields: dict[str, Any] = {
        name: (typed, Field(default, description=" ".join(meaning) or None))
        for name, (typed, default, *meaning) in bias.settings.items()
    }
    fields["kind"] = (Literal[kind], ...)
    if bias.everywhere:
        fields["blocks"] = (Blocks, "all")
    return create_model(
        f"{bias.where.split(':')[1]}Bias",
        __base__=Section if bias.everywhere else InFirstBlock,
        __module__=__name__,
        __doc__=bias.what,
        # they would be looked for in the sources of every module that is imported
        __cls_kwargs__={"use_attribute_docstrings": False},
        **fields,
    )


SECTIONS = {kind: _section(kind, bias) for kind, bias in BIASES.items()}
"""The section of each bias by its name."""
globals().update({section.__name__: section for section in SECTIONS.values()})  # pickle looks here

if TYPE_CHECKING:
    Bias = Any  # which settings a bias has is known when the program runs
else:
    Bias = Annotated[Union[NoBias, *SECTIONS.values()], Field(discriminator="kind")]
