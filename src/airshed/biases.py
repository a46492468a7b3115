"""Every attention bias: its name in the configuration, where its class is, and its settings.

What a bias is called, and which settings it has with which defaults, is said here and nowhere else.
The configuration makes a typed section of each (:mod:`airshed.config.biases`), the model builds the
class from it (:mod:`airshed.model.bias`), and the schema and the tests go through all of them.

Nothing is imported here: planning a study needs no torch, and the model nothing but torch.
"""

from __future__ import annotations

from typing import Any


class Registered:
    """A bias that a variant's stanza may name.

    Args:
        where: Module and class, as ``module:Class``.
        what: The bias in a sentence, for the schema of the configuration.
        everywhere: Whether it is added in all blocks unless the stanza says otherwise; else it is
            added in the first one.
        wind: Whether it reads the wind; a setting that is the only reason to is called
            ``wind_modulation``.
        terrain: Whether it reads elevation.
        negative: What it means that its strength is negative, in words; nothing if no more than
            that it is.
        settings: Type, default and meaning (for the docs) of each setting, by the name of the
            class's argument.
    """

    def __init__(
        self,
        where: str,
        what: str,
        /,
        *,
        everywhere: bool = False,
        wind: bool = False,
        terrain: bool = True,
        negative: str = "",
        **settings: tuple[Any, Any] | tuple[Any, Any, str],
    ) -> None:
        self.where, self.what, self.everywhere, self.settings = where, what, everywhere, settings
        self.wind, self.terrain, self.negative = wind, terrain, negative

    @property
    def blocks(self) -> str | list[int]:
        """The blocks that it is added in unless the stanza names others."""
        return "all" if self.everywhere else [0]

    @property
    def defaults(self) -> dict[str, Any]:
        """Default of each setting."""
        return {name: setting[1] for name, setting in self.settings.items()}


STRENGTH = "Initial strength of the barrier; it is learned."
CORRECTION = "Initial strength of the learned correction of the barrier; it is learned."

BIASES = {
    "barrier": Registered(
        "airshed.model.bias.barrier:Barrier",
        "Elevation barriers between patches, modulated by wind speed, with a learnable strength.",
        wind=True,
        negative="higher ground attracts attention instead of keeping it away",
        alpha_init=(float, 0.2, STRENGTH),
        wind_modulation=(bool, True, "`false` drops the wind factor."),
    ),
    "barrier_lookup": Registered(
        "airshed.model.bias.barrier:BarrierLookup",
        "The barrier, corrected by a learned table over wind direction and rise.",
        wind=True,
        alpha_init=(float, 0.1, CORRECTION),
    ),
    "barrier_mlp": Registered(
        "airshed.model.bias.barrier:BarrierMlp",
        "The barrier, plus a perceptron of wind and elevation at both ends.",
        wind=True,
        alpha_init=(float, 0.1, CORRECTION),
    ),
    "relative_position": Registered(
        "airshed.model.bias.position:RelativePosition",
        "A learned table over row and column offsets (Swin).",
        everywhere=True,
        terrain=False,
    ),
    "relative_position_3d": Registered(
        "airshed.model.bias.position:RelativePosition3d",
        "A perceptron of the offsets in column, row and elevation.",
    ),
    "topoflow": Registered(
        "airshed.model.bias.position:TopoFlow",
        "Elevation barriers without wind, plus a table over logarithmic offsets.",
        negative="its barrier is clamped to zero, and no gradient brings it back",
        alpha_init=(float, 2.0, STRENGTH),
    ),
}
"""Every bias by its name in the configuration; ``bias: {kind: none}`` is plain attention."""
