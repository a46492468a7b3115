"""Weights of ClimaX checkpoints (Nguyen et al. 2023, arXiv 2301.10343) for a network."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from airshed.errors import brief
from airshed.model.forecaster import Forecaster

_WEIGHTS, _BIASES = "token_embeds.proj_weights", "token_embeds.proj_biases"
_PREFIX = re.compile(r"^(net|network)\.")  # of microsoft/ClimaX, of airshed train
_OLD_NAME = re.compile(r"^channel_(?=(embed|query|agg)\b)")  # today var_embed, var_query, var_agg
_ATTENTION_BIAS = re.compile(r"^blocks\.\d+\.attn\.core\.")
CONVERSION = (
    "such a file runs what it holds when it is read in full. If you trust where it comes from, take"
    " its tensors out once, as a user or in a container that can reach nothing of value, and use"
    " the new file: python -c \"import sys, torch; s = torch.load(sys.argv[1], map_location='cpu',"
    " weights_only=False); s = s.get('state_dict', s); torch.save({k: v for k, v in s.items()"
    ' if torch.is_tensor(v)}, sys.argv[2])" OLD.ckpt NEW.pt'
)
"""Advice on a checkpoint that holds objects of Python."""


@dataclass(frozen=True)
class LoadReport:
    """Where each parameter of a model comes from; by variable where these differ in it.

    Such a part of a parameter is named as in ``token_embeds.proj_weights[pm25]``.

    Args:
        loaded: Taken from the checkpoint as they are.
        interpolated: Taken from the checkpoint and brought to the model's grid.
        kept: Left at their initial values.
        ignored: Tensors of the checkpoint that were not used.
    """

    loaded: tuple[str, ...]
    interpolated: tuple[str, ...]
    kept: tuple[str, ...]
    ignored: tuple[str, ...]

    def summary(self) -> str:
        """The four lists in one short paragraph."""
        return (
            f"Pretrained weights: {len(self.loaded)} loaded; "
            f"interpolated: {_some(self.interpolated)}; "
            f"left at initial values: {_some(self.kept)}; "
            f"not used of the checkpoint: {_some(self.ignored)}."
        )


def load_pretrained(
    model: Forecaster,
    path: Path,
    variables: Sequence[str],
    patch_grid: tuple[int, int] | None = None,
) -> LoadReport:
    """Copy the weights of a checkpoint of microsoft/ClimaX or of this project into a model.

    The file holds a state dict, bare or under ``state_dict``, with the names of the model, maybe
    after ``net.`` or ``network.``. Patch projections are stacked (``token_embeds.proj_weights``
    [V, D, 1, p, p], ``proj_biases`` [V, D]) or one module per variable
    (``token_embeds.<i>.proj.weight`` [D, 1, p, p], ``bias`` [D]); ``channel_*`` is an older name
    of ``var_*``.

    Patch projections, variable embeddings and rows of the last head layer follow their variable's
    name. ``pos_embed`` is interpolated to another grid of patches (bicubic, as in ClimaX). With
    another patch size neither patch projections nor the last head layer are loaded, with another
    depth the blocks that both have, with another decoder depth the hidden layers that both have.
    Parameters of biases are loaded if name and shape fit. The number of attention heads leaves no
    trace in a checkpoint: the model must have been built with the right one.

    Args:
        model: Changed in place, or not at all if an error is raised.
        path: The checkpoint. It is read without running code that it might hold.
        variables: Names of the checkpoint's V channels in their order, in the words of the model.
        patch_grid: Rows and columns of the checkpoint's patches; None means twice as many columns
            as rows, the shape of ClimaX's global grids.

    Raises:
        OSError: There is no such file.
        ValueError: The file is damaged, holds more than tensors and plain values or is no ClimaX
            checkpoint; its width or another shape does not fit the model, or ``variables`` or
            ``patch_grid`` the checkpoint.
    """
    source = _Checkpoint(path, variables)
    source.check(model)
    parameters = dict(model.named_parameters())
    values: dict[str, Tensor] = {}
    loaded: list[str] = []
    interpolated: list[str] = []
    kept: list[str] = []
    ignored = list(source.other)
    for name, parameter in parameters.items():
        if not source.fits(name, model):
            kept.append(name)
        elif name == "pos_embed":
            values[name], resized = source.positions(model, patch_grid)
            (interpolated if resized else loaded).append(name)
        elif name in source.cells:
            ours = model.outputs if name.startswith("head.") else model.variables
            values[name] = source.by_variable(name, parameter, ours)
            both = [v for v in ours if v in source.variables]
            new = [f"{name}[{v}]" for v in ours if v not in both]
            kept += new
            loaded += [f"{name}[{v}]" for v in both] if new else [name]
            ignored += [f"{name}[{v}]" for v in source.variables if v not in both]
        else:
            values[name] = source.state[name]
            loaded.append(name)
    ignored += [name for name in source.state if name not in values]
    broken = [name for name, value in values.items() if not value.isfinite().all()]
    if broken:
        raise source.error("a checkpoint is damaged", "finite values", f"others in {_some(broken)}")
    with torch.no_grad():
        for name, value in values.items():
            parameters[name].copy_(value)
    return LoadReport(tuple(loaded), tuple(interpolated), tuple(kept), tuple(ignored))


class _Checkpoint:
    """Tensors of a checkpoint under the names of a model, and their dimensions."""

    def __init__(self, path: Path, variables: Sequence[str]) -> None:
        self.path, self.variables = path, tuple(variables)
        content = self._read()
        named = {key: value for key, value in content.items() if isinstance(value, Tensor)}
        self.other = [str(key) for key in content if key not in named]
        self.state = {_OLD_NAME.sub("var_", _PREFIX.sub("", str(k))): v for k, v in named.items()}
        if len(self.state) != len(named):
            raise self.error("a checkpoint names tensors twice", len(self.state), len(named))
        self._stack_single_projections()
        axes = {name: value.ndim for name, value in self.state.items()}
        if axes.get(_WEIGHTS) != 5 or axes.get("pos_embed") != 3:
            raise self._lacks("patch projections [V, D, 1, p, p] and pos_embed [1, N, D]")
        count, self.dim, _, _, self.patch = self.state[_WEIGHTS].shape
        self.depth = 1 + self._last(r"blocks\.(\d+)\.")
        self.head = self._last(r"head\.(\d+)\.weight$")
        if min(self.depth - 1, self.head) < 0:
            raise self._lacks("blocks.<k>.* and head.<k>.weight")
        if not len(self.variables) == len(set(self.variables)) == count:
            what = "the names of a checkpoint's variables do not fit it"
            raise self.error(what, f"{count} different names", list(self.variables))
        area, last = self.patch**2, f"head.{self.head}"
        # tensors with an axis of variables: what the axes before it hold, and the whole shape
        self.cells = {_WEIGHTS: 1, _BIASES: 1, "var_embed": 1}
        self.cells |= {f"{last}.weight": area, f"{last}.bias": area}
        self.shapes = {
            _WEIGHTS: (count, self.dim, 1, self.patch, self.patch),
            _BIASES: (count, self.dim),
            "var_embed": (1, count, self.dim),
            "pos_embed": (1, self.state["pos_embed"].shape[1], self.dim),
            f"{last}.weight": (area * count, self.dim),
            f"{last}.bias": (area * count,),
        }

    def _read(self) -> Mapping[Any, Any]:
        self.path.stat()  # an error of its own if there is no such file
        try:
            content = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:
            why = re.search(r"Unsupported.*?(?=\. |\n|$)", str(error))
            found = why[0] if why else brief(error)
            what = "a checkpoint is damaged or holds more than tensors and plain values"
            hint = CONVERSION if "lobal" in found else None  # an object of some Python class
            raise self.error(what, "a state dict, bare or of Lightning", found, hint) from error
        state = content.get("state_dict", content) if isinstance(content, Mapping) else None
        return state if isinstance(state, Mapping) else {}

    def _stack_single_projections(self) -> None:
        """Bring projections in one module per variable to the stacked layout."""
        indices = range(1 + self._last(r"token_embeds\.(\d+)\.proj\.(weight|bias)$"))
        if _WEIGHTS in self.state or not indices:
            return
        for stacked, kind in ((_WEIGHTS, "weight"), (_BIASES, "bias")):
            names = [f"token_embeds.{index}.proj.{kind}" for index in indices]
            parts = [self.state.pop(name) for name in names if name in self.state]
            if len(parts) < len(names) or len({part.shape for part in parts}) != 1:
                raise self._lacks(f"{names[0]} to {names[-1]}, all of one shape")
            self.state[stacked] = torch.stack(parts)

    def check(self, model: Forecaster) -> None:
        """Raise a ValueError unless all that the model can expect is there in the right shape."""
        dim = model.pos_embed.shape[-1]
        if self.dim != dim:
            raise self.error("a checkpoint's width is not the model's embed_dim", dim, self.dim)
        for name, parameter in model.named_parameters():
            expected = name in self.cells or self.fits(name, model)
            if _ATTENTION_BIAS.match(name) or not expected:
                continue
            if name not in self.state:
                raise self._lacks(name)
            shape, found = self.shapes.get(name, parameter.shape), self.state[name].shape
            if tuple(shape) != tuple(found):
                what = f"the shape of {name} in a checkpoint does not fit"
                raise self.error(what, tuple(shape), tuple(found))

    def fits(self, name: str, model: Forecaster) -> bool:
        """Whether a parameter of the model is to be loaded from here."""
        if _ATTENTION_BIAS.match(name):
            return name in self.state and self.state[name].shape == model.get_parameter(name).shape
        part, index, *_ = [*name.split("."), ""]
        if part == "blocks":
            return int(index) < self.depth
        last = len(model.head) - 1
        if part == "head" and (int(index) < last or self.head != last):
            return int(index) < min(last, self.head)
        return part not in ("head", "token_embeds") or self.patch == model.patch_size

    def by_variable(self, name: str, parameter: Tensor, ours: Sequence[str]) -> Tensor:
        """The model's parameter, replaced where it belongs to a variable that both have."""
        value = parameter.detach().cpu().clone().view(self.cells[name], len(ours), -1)
        theirs = self.state[name].reshape(self.cells[name], len(self.variables), -1)
        for index, variable in enumerate(ours):
            if variable in self.variables:
                value[:, index] = theirs[:, self.variables.index(variable)]
        return value.view(parameter.shape)

    def positions(self, model: Forecaster, grid: tuple[int, int] | None) -> tuple[Tensor, bool]:
        """Positional embedding [1, N, D] on the model's grid, and whether it is interpolated."""
        embedding, (rows, columns) = self.state["pos_embed"], model.grid_size
        ours, tokens = (rows // model.patch_size, columns // model.patch_size), embedding.shape[1]
        side = math.isqrt(tokens // 2)
        theirs = (side, 2 * side) if grid is None else tuple(grid)
        unclear = grid is None and math.prod(ours) == tokens and theirs != ours
        if unclear or min(theirs) < 1 or math.prod(theirs) != tokens:
            what = "the rows and columns of a checkpoint's patches are unknown: give patch_grid"
            found = f"patch_grid {grid}, and {ours} patches in the model"
            raise self.error(what, f"a patch_grid of {tokens} patches", found)
        if theirs == ours:
            return embedding, False
        field = embedding.float().reshape(1, *theirs, -1).permute(0, 3, 1, 2)
        field = interpolate(field, ours, mode="bicubic", align_corners=False)
        return field.permute(0, 2, 3, 1).flatten(1, 2), True

    def _last(self, pattern: str) -> int:
        matches = (re.match(pattern, name) for name in self.state)
        return max((int(match[1]) for match in matches if match), default=-1)

    def _lacks(self, expected: str) -> ValueError:
        found = f"{len(self.state)} tensors: {_some(list(self.state))}"
        return self.error("a checkpoint lacks a part of ClimaX", expected, found)

    def error(
        self, what: str, expected: object, found: object, hint: str | None = None
    ) -> ValueError:
        details = {"where": self.path, "expected": expected, "found": found}
        details |= {} if hint is None else {"next": hint}
        return ValueError("\n".join([what, *(f"  {k + ':':<10}{v}" for k, v in details.items())]))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return (", ".join(names[:6]) or "none") + more
