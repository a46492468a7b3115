"""Loading of ClimaX checkpoints, against a plain ClimaX and against tensors taken apart by hand."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from airshed.model import ClimaX
from airshed.model.pretrained import LoadReport, load_pretrained

Build = Callable[..., ClimaX]
State = dict[str, Tensor]
GRID, VARIABLES = (8, 16), ("u", "v", "pm25", "o3")
PER_VARIABLE = (
    "var_embed",
    "token_embeds.proj_weights",
    "token_embeds.proj_biases",
    "head.4.weight",
    "head.4.bias",
)
PATCH_DEPENDENT = PER_VARIABLE[1:]
BARRIER = {"kind": "barrier", "blocks": [0], "alpha_init": 0.7, "wind_modulation": False}
ALPHA = "blocks.0.attn.core.bias.alpha"


def climax(variables: tuple[str, ...] = VARIABLES, grid: Any = GRID, **changes: Any) -> ClimaX:
    settings = {"patch_size": 2, "embed_dim": 32, "depth": 2, "num_heads": 4} | changes
    return ClimaX(variables, grid, **settings).eval()


def trained(model: ClimaX, seed: int = 7) -> ClimaX:
    """No weight is as it was initialised: zeros, ones and tables are gone."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator)
    return model


def copied(model: ClimaX) -> State:
    return {name: value.clone() for name, value in model.state_dict().items()}


def one_module_per_variable(state: Mapping[str, Tensor]) -> State:
    split = dict(state)
    weights = split.pop("token_embeds.proj_weights")
    biases = split.pop("token_embeds.proj_biases")
    for index, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        split[f"token_embeds.{index}.proj.weight"] = weight.clone()
        split[f"token_embeds.{index}.proj.bias"] = bias.clone()
    return split


@pytest.fixture
def save(tmp_path: Path) -> Callable[[Any], Path]:
    def write(content: Any) -> Path:
        torch.save(content, tmp_path / "climax.ckpt")
        return tmp_path / "climax.ckpt"

    return write


Save = Callable[[Any], Path]


def plain_climax(
    state: State, x: Tensor, lead_hours: Tensor, *, patch: int, heads: int, depth: int
) -> Tensor:
    """All fields that ClimaX forecasts, one step after the other and nothing folded.

    Each variable has a convolution whose stride is its kernel, and gets its variable embedding. A
    learned query attends to the V tokens of a patch. Position and lead time (in units of 100 h) are
    added, pre-norm ViT blocks follow, and an MLP gives cells and variables of each patch.
    """
    tokens = []
    for v in range(x.shape[1]):
        weight = state[f"token_embeds.{v}.proj.weight"]
        bias = state[f"token_embeds.{v}.proj.bias"]
        embedded = F.conv2d(x[:, v : v + 1], weight, bias, stride=patch)
        tokens.append(embedded.flatten(2).transpose(1, 2) + state["var_embed"][0, v])
    stacked = torch.stack(tokens, dim=2)  # [B, N, V, D]
    batch, count, _, dim = stacked.shape

    attention = nn.MultiheadAttention(dim, heads, batch_first=True)
    attention.load_state_dict(
        {name[8:]: value for name, value in state.items() if name.startswith("var_agg.")}
    )
    keys = stacked.flatten(0, 1)
    z, _ = attention(state["var_query"].expand(len(keys), 1, dim), keys, keys)
    z = z.view(batch, count, dim) + state["pos_embed"]
    lead = lead_hours[:, None] / 100
    z = z + F.linear(lead, state["lead_time_embed.weight"], state["lead_time_embed.bias"])[:, None]

    def layer(name: str, value: Tensor) -> Tensor:
        return F.linear(value, state[f"{name}.weight"], state[f"{name}.bias"])

    def norm(name: str, value: Tensor) -> Tensor:
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        return F.layer_norm(value, (dim,), weight, bias, eps=1e-5)

    for k in range(depth):
        q, key, value = layer(f"blocks.{k}.attn.qkv", norm(f"blocks.{k}.norm1", z)).chunk(3, dim=-1)
        outputs = []
        for h in range(heads):
            of_head = slice(h * dim // heads, (h + 1) * dim // heads)
            scores = q[..., of_head] @ key[..., of_head].mT / (dim / heads) ** 0.5
            outputs.append(scores.softmax(dim=-1) @ value[..., of_head])
        z = z + layer(f"blocks.{k}.attn.proj", torch.cat(outputs, dim=-1))
        hidden = F.gelu(layer(f"blocks.{k}.mlp.fc1", norm(f"blocks.{k}.norm2", z)))
        z = z + layer(f"blocks.{k}.mlp.fc2", hidden)
    z = norm("norm", z)
    z = layer("head.4", F.gelu(layer("head.2", F.gelu(layer("head.0", z)))))

    fields = torch.empty_like(x)
    for n in range(count):
        row, column = patch * (n // (x.shape[3] // patch)), patch * (n % (x.shape[3] // patch))
        cells = z[:, n].view(batch, patch, patch, -1).permute(0, 3, 1, 2)
        fields[:, :, row : row + patch, column : column + patch] = cells
    return fields


@pytest.mark.parametrize("stacked", [True, False])
@pytest.mark.parametrize(("grid", "patch"), [((8, 16), 2), ((16, 32), 4)])
def test_forecast_with_loaded_weights_is_that_of_a_plain_climax(
    save: Save, stacked: bool, grid: tuple[int, int], patch: int
) -> None:
    state = copied(trained(climax(grid=grid, patch_size=patch)))
    single = one_module_per_variable(state)
    model = climax(grid=grid, patch_size=patch)
    load_pretrained(model, save(state if stacked else single), VARIABLES)
    x = torch.randn(3, 4, *grid, generator=torch.Generator().manual_seed(3))
    lead = torch.tensor([0.0, 12.0, 240.0])
    with torch.no_grad():
        expected = plain_climax(single, x, lead, patch=patch, heads=4, depth=2)
        found = model(x, lead, ("o3", "u"))
    torch.testing.assert_close(found, expected[:, [3, 0]], rtol=1e-5, atol=1e-5)
    assert expected.std() > 0.1


FORMS: dict[str, Callable[[State], Any]] = {
    "bare": lambda state: state,
    "bare with prefix": lambda state: {f"net.{k}": v for k, v in state.items()},
    "of ClimaX": lambda state: {
        "state_dict": {f"net.{k}": v for k, v in state.items()},
        "epoch": 3,
        "hyper_parameters": {"lr": 1e-4},
    },
    "of this project": lambda state: {"state_dict": {f"network.{k}": v for k, v in state.items()}},
    "one module per variable": one_module_per_variable,
    "older names": lambda state: {
        f"net.{k}".replace("var_", "channel_"): v for k, v in state.items()
    },
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_an_equal_model_is_loaded_in_full(save: Save, form: str) -> None:
    state, model = copied(trained(climax())), climax()
    report = load_pretrained(model, save(FORMS[form](state)), VARIABLES)
    assert set(report.loaded) == set(state)
    assert (report.interpolated, report.kept, report.ignored) == ((), (), ())
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_unknown_content_is_ignored_and_named(save: Save) -> None:
    state = copied(climax()) | {"time_query": torch.zeros(1, 1, 32)}
    report = load_pretrained(climax(), save(state | {"epoch": 3}), VARIABLES)
    assert set(report.ignored) == {"time_query", "epoch"}


def test_variables_in_another_order_forecast_the_same(save: Save) -> None:
    model, turned = trained(climax()), climax(("o3", "u", "pm25", "v"))
    report = load_pretrained(turned, save(copied(model)), VARIABLES)
    assert (report.kept, report.ignored) == ((), ())
    x, lead = torch.randn(2, 4, *GRID), torch.tensor([6.0, 48.0])
    expected = model(x, lead, ("v", "o3"))
    torch.testing.assert_close(turned(x[:, [3, 0, 2, 1]], lead, ("v", "o3")), expected)


def test_known_variables_are_taken_and_new_ones_left(save: Save) -> None:
    state, model = copied(trained(climax())), climax(("o3", "so2", "v"))
    before = copied(model)
    report = load_pretrained(model, save(state), VARIABLES)
    assert set(report.kept) == {f"{name}[so2]" for name in PER_VARIABLE}
    assert set(report.ignored) == {f"{name}[{v}]" for name in PER_VARIABLE for v in ("u", "pm25")}
    loaded = {f"{name}[{v}]" for name in PER_VARIABLE for v in ("o3", "v")}
    assert {name for name in report.loaded if "[" in name} == loaded
    for ours, (origin, theirs, variables) in enumerate(
        [(state, 3, 4), (before, 1, 3), (state, 1, 4)]
    ):
        for name in PER_VARIABLE[1:3]:
            assert torch.equal(model.get_parameter(name)[ours], origin[name][theirs])
        assert torch.equal(model.var_embed[0, ours], origin["var_embed"][0, theirs])
        for cell in range(4):
            row, source = cell * 3 + ours, cell * variables + theirs
            for name in PER_VARIABLE[3:]:
                assert torch.equal(model.get_parameter(name)[row], origin[name][source])
    assert torch.equal(model.blocks[1].mlp.fc1.weight, state["blocks.1.mlp.fc1.weight"])


def cubic_weights(size: int, new_size: int) -> Tensor:
    """Cubic convolution (Keys 1981) with a = -0.75, cells of equal extent, edges repeated."""
    a, weights = -0.75, torch.zeros(new_size, size, dtype=torch.float64)
    for target in range(new_size):
        centre = (target + 0.5) * size / new_size - 0.5
        first = int(centre // 1) - 1
        for source in range(first, first + 4):
            d = abs(centre - source)
            near = (a + 2) * d**3 - (a + 3) * d**2 + 1
            far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
            weights[target, min(max(source, 0), size - 1)] += near if d <= 1 else far
    return weights


@pytest.mark.parametrize("given", [None, (4, 8), (8, 4), (2, 16)])
def test_positions_are_interpolated_to_another_grid(
    save: Save, given: tuple[int, int] | None
) -> None:
    state, model = copied(trained(climax(grid=(8, 16)))), climax(grid=(12, 20))
    report = load_pretrained(model, save(state), VARIABLES, given)
    assert report.interpolated == ("pos_embed",)
    assert set(report.loaded) == set(state) - {"pos_embed"}
    assert (report.kept, report.ignored) == ((), ())
    rows, columns = given or (4, 8)
    field = state["pos_embed"].double().view(rows, columns, 32)
    expected = torch.einsum(
        "yr,xc,rcd->yxd", cubic_weights(rows, 6), cubic_weights(columns, 10), field
    )
    found = model.pos_embed.double().view(6, 10, 32)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_equal_grid_of_another_form_is_loaded_when_told(save: Save) -> None:
    state, model = copied(trained(climax(grid=(12, 12)))), climax(grid=(12, 12))
    report = load_pretrained(model, save(state), VARIABLES, (6, 6))
    assert (set(report.loaded), report.interpolated) == (set(state), ())


@pytest.mark.parametrize(
    ("theirs", "ours", "given"),
    [
        ((12, 12), (8, 16), None),  # 36 patches are not twice as wide as high
        ((12, 12), (8, 16), (6, 8)),
        ((12, 12), (8, 16), (-6, -6)),
        ((8, 16), (16, 8), None),  # 32 patches might be 4 x 8 or the model's 8 x 4
    ],
)
def test_unclear_patch_grid_is_asked_for(
    save: Save, theirs: tuple[int, int], ours: tuple[int, int], given: tuple[int, int] | None
) -> None:
    model = climax(grid=ours)
    before = copied(model)
    with pytest.raises(ValueError, match="give patch_grid"):
        load_pretrained(model, save(copied(trained(climax(grid=theirs)))), VARIABLES, given)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_another_patch_size_leaves_patch_projections_and_last_layer(save: Save) -> None:
    state, model = copied(trained(climax(grid=(16, 32), patch_size=4))), climax()
    before = copied(model)
    report = load_pretrained(model, save(state), VARIABLES)
    assert set(report.kept) == set(report.ignored) == set(PATCH_DEPENDENT)
    assert set(report.loaded) == set(state) - set(PATCH_DEPENDENT)
    for name, value in model.state_dict().items():
        origin = before if name in PATCH_DEPENDENT else state
        assert torch.equal(value, origin[name])


@pytest.mark.parametrize(("theirs", "ours"), [(3, 2), (2, 3)])
def test_another_depth_loads_the_common_blocks(save: Save, theirs: int, ours: int) -> None:
    state, model = copied(trained(climax(depth=theirs))), climax(depth=ours)
    before = copied(model)
    report = load_pretrained(model, save(state), VARIABLES)
    third = {name for name in {**state, **before} if name.startswith("blocks.2.")}
    assert set(report.ignored) == (third if theirs == 3 else set())
    assert set(report.kept) == (third if ours == 3 else set())
    for name, value in model.state_dict().items():
        assert torch.equal(value, (before if name in report.kept else state)[name])


@pytest.mark.parametrize(("theirs", "ours"), [(1, 2), (2, 1), (0, 2)])
def test_another_decoder_depth_loads_the_common_hidden_layers(
    save: Save, theirs: int, ours: int
) -> None:
    """8 variables of 2 x 2 cells fill a last layer of 32 rows: the shape of a hidden layer."""
    names = tuple("abcdefgh")
    state = copied(trained(climax(names, decoder_depth=theirs)))
    model = climax(names, decoder_depth=ours)
    report = load_pretrained(model, save(state), names)
    common = min(theirs, ours)
    for count, listed in ((theirs, report.ignored), (ours, report.kept)):
        layers = range(common, count + 1)
        expected = {f"head.{2 * layer}.{kind}" for layer in layers for kind in ("weight", "bias")}
        assert set(listed) == expected
    for layer in range(common):
        assert torch.equal(model.head[2 * layer].weight, state[f"head.{2 * layer}.weight"])


def test_bias_parameters_are_optional(save: Save, network: Build) -> None:
    biased, plain = network(bias=BARRIER), network()
    path = save(copied(trained(network(bias=BARRIER))))
    assert load_pretrained(biased, path, VARIABLES).kept == ()
    assert biased.get_parameter(ALPHA) == torch.load(path)[ALPHA] != torch.tensor(0.7)
    assert load_pretrained(plain, path, VARIABLES).ignored == (ALPHA,)

    fresh = network(bias=BARRIER)
    assert load_pretrained(fresh, save(copied(plain)), VARIABLES).kept == (ALPHA,)
    assert fresh.get_parameter(ALPHA) == torch.tensor(0.7)
    other = copied(biased) | {ALPHA: torch.ones(4)}
    report = load_pretrained(fresh, save(other), VARIABLES)
    assert (report.kept, report.ignored) == ((ALPHA,), (ALPHA,))


def without(*names: str) -> Callable[[State], Any]:
    return lambda state: {name: value for name, value in state.items() if name not in names}


DAMAGED: dict[str, tuple[Callable[[State], Any], str]] = {
    "no dictionary": (lambda state: list(state.values()), "lacks"),
    "nothing of ClimaX": (lambda state: {"epoch": 3}, "lacks"),
    "no positions": (without("pos_embed"), "pos_embed"),
    "no query": (without("var_query"), "var_query"),
    "part of a block": (without("blocks.1.norm2.bias"), r"blocks\.1\.norm2\.bias"),
    "no patch projections": (
        without("token_embeds.proj_weights", "token_embeds.proj_biases"),
        "patch projections",
    ),
    "no patch biases": (without("token_embeds.proj_biases"), "proj_biases"),
    "a variable too few": (
        lambda state: without("token_embeds.1.proj.weight")(one_module_per_variable(state)),
        r"token_embeds\.0\.proj\.weight to token_embeds\.3",
    ),
    "no head": (
        without(*(f"head.{k}.{kind}" for k in (0, 2, 4) for kind in ("weight", "bias"))),
        "head",
    ),
    "no blocks": (lambda state: {k: v for k, v in state.items() if "blocks" not in k}, "blocks"),
    "names twice": (lambda state: state | {"net.pos_embed": state["pos_embed"]}, "twice"),
    "not finite": (lambda state: state | {"norm.bias": torch.full((32,), torch.nan)}, "finite"),
    "another MLP": (lambda state: copied(climax(mlp_ratio=2.0)), r"blocks\.0\.mlp\.fc1\.weight"),
    "another width": (lambda state: copied(climax(embed_dim=64)), r"width[\s\S]*32[\s\S]*64"),
    "head of other variables": (
        lambda state: state | {"head.4.bias": torch.zeros(12)},
        r"head\.4\.bias[\s\S]*\(16,\)[\s\S]*\(12,\)",
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_unfit_checkpoints_are_refused_and_change_nothing(save: Save, case: str) -> None:
    change, message = DAMAGED[case]
    model = climax()
    before = copied(model)
    path = save(change(copied(trained(climax()))))
    with pytest.raises(ValueError, match=message) as caught:
        load_pretrained(model, path, VARIABLES)
    assert all(word in str(caught.value) for word in ("where:", "expected:", "found:", str(path)))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("names", [VARIABLES[:3], (*VARIABLES, "so2"), ("u", "v", "o3", "o3")])
def test_variables_must_name_each_channel_once(save: Save, names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="4 different names"):
        load_pretrained(climax(), save(copied(climax())), names)


def test_damaged_files_are_refused(save: Save, tmp_path: Path) -> None:
    path = save(copied(climax()))
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"not a checkpoint", whole[100:]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="damaged"):
            load_pretrained(climax(), path, VARIABLES)
    with pytest.raises(FileNotFoundError):
        load_pretrained(climax(), tmp_path / "absent.ckpt", VARIABLES)


class Payload:
    """Creates a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self.folder,)


def test_pickled_code_is_refused_and_not_run(save: Save, tmp_path: Path) -> None:
    folder = tmp_path / "made-by-the-checkpoint"
    path = save({"state_dict": copied(climax()), "hyper_parameters": Payload(folder)})
    with pytest.raises(ValueError, match="more than tensors and plain values"):
        load_pretrained(climax(), path, VARIABLES)
    assert not folder.exists()
    torch.load(path, weights_only=False)
    assert folder.exists()


def test_summary_counts_and_names(save: Save) -> None:
    model = climax(("o3",), grid=(12, 20), depth=3)
    summary = load_pretrained(model, save(copied(climax())), VARIABLES).summary()
    assert "\n" not in summary
    assert "interpolated: pos_embed;" in summary
    assert "left at initial values: blocks.2.norm1.weight" in summary
    assert "and 6 more" in summary
    assert LoadReport(("a", "b"), (), (), ("c",)).summary() == (
        "Pretrained weights: 2 loaded; interpolated: none; left at initial values: none; "
        "not used of the checkpoint: c."
    )


def test_the_message_of_a_refused_checkpoint_tells_a_conversion_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arguments of a script beside the weights, as Lightning keeps them; the command is run."""
    model, old, new = trained(climax()), tmp_path / "old.ckpt", tmp_path / "new.pt"
    arguments = {"hyper_parameters": Namespace(lr=0.1)}
    torch.save({"state_dict": {f"net.{k}": v for k, v in copied(model).items()}} | arguments, old)
    with pytest.raises(ValueError, match=r"Namespace(.|\n)*next:(.|\n)*OLD\.ckpt") as refused:
        load_pretrained(climax(), old, VARIABLES)
    code = str(refused.value).split('python -c "')[1].split('" OLD.ckpt')[0]
    monkeypatch.setattr(sys, "argv", ["-c", str(old), str(new)])
    exec(code, {})  # noqa: S102  (what users are told to run)
    target = climax()
    assert not load_pretrained(target, new, VARIABLES, (4, 8)).kept
    assert all(torch.equal(target.state_dict()[k], v) for k, v in copied(model).items())
    (tmp_path / "page.ckpt").write_bytes(b"<!DOCTYPE html><html>")
    with pytest.raises(ValueError, match="damaged") as refused:
        load_pretrained(climax(), tmp_path / "page.ckpt", VARIABLES)
    assert "next:" not in str(refused.value)
