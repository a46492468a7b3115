"""Every bias and every attention path against plain versions, written out for each pair."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import plain_biases
import pytest
import torch
from plain_biases import COLUMNS, HEADS, PLAIN, ROWS, WITHOUT_GRADIENT_AT_FIRST, stir
from torch import Tensor, nn

from airshed.model import bias as biases
from airshed.model.attention import BiasedAttention, DenseAttention, TiledAttention, tiled
from airshed.model.bias import Bias
from airshed.model.bias.position import log_buckets
from airshed.model.geography import Fields

TOKENS, WIDTH = ROWS * COLUMNS, 6


def terrain(name: str) -> list[dict[str, Tensor]]:
    """Two samples: elevations from below the sea to a plateau, or flat; wind from calm to storm."""
    generator = torch.Generator().manual_seed(3)

    def random(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(TOKENS, generator=generator, dtype=torch.float64)

    samples = []
    for _ in range(2):
        e = torch.full((TOKENS,), 120.0).double() if name == "flat" else random(-400, 5600)
        strongest = {"calm": 0.0, "storm": 45.0}.get(name, 9.0)
        u, v = (random(-strongest, 0.7 * strongest) for _ in "uv")
        samples.append({"e": e, "u": u, "v": v, "s": (u * u + v * v).sqrt()})
    return samples


def fields(samples: list[dict[str, Tensor]], dtype: torch.dtype = torch.float64) -> Fields:
    columns = (torch.stack([at[key] for at in samples]).to(dtype) for key in "euvs")
    return Fields.in_raster_order(*columns)


def build(stanza: dict[str, Any], seed: int = 0) -> Bias:
    """A bias in float64 whose parameters are large enough to matter, and all different."""
    torch.manual_seed(seed)
    bias = biases.build(stanza, grid=(ROWS, COLUMNS), num_heads=HEADS).double()
    stir(bias.parameters())
    return bias


def test_every_bias_has_a_plain_version() -> None:
    assert {stanza["kind"] for stanza, _ in PLAIN.values()} == set(biases.KINDS)


@pytest.mark.parametrize("weather", ["mixed", "flat", "calm", "storm"])
@pytest.mark.parametrize("kind", PLAIN)
def test_every_bias_equals_its_formula_pair_by_pair(kind: str, weather: str) -> None:
    stanza, pair = PLAIN[kind]
    bias, samples = build(stanza), terrain(weather)
    expected = plain_biases.matrix(pair, dict(bias.named_parameters()), samples)
    given = fields(samples)
    found = biases.dense(bias, given.elevation_m, given.u_ms, given.v_ms, given.wind_speed_ms)
    assert found.shape[1] in (1, HEADS)
    torch.testing.assert_close(found.expand_as(expected), expected, rtol=1e-12, atol=1e-12)


def problem() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    shape = (2, HEADS, TOKENS, WIDTH)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for _ in "qkv"]


def gradients(out: Tensor, inputs: list[Tensor]) -> list[Tensor]:
    """The output, and gradients of a loss that weighs every output differently."""
    weights = torch.linspace(-1, 1, out.numel(), dtype=torch.float64).view_as(out).cos()
    received = torch.autograd.grad((out.double() * weights).sum(), inputs)
    return [out.detach(), *received]


@cache  # every path and precision is held against it
def plain_attention(kind: str, weather: str) -> list[Tensor]:
    stanza, pair = PLAIN[kind]
    bias = build(stanza)
    q, k, v = qkv = [tensor.requires_grad_() for tensor in problem()]
    added = plain_biases.matrix(pair, dict(bias.named_parameters()), terrain(weather))
    out = torch.softmax(q @ k.mT / math.sqrt(WIDTH) + added, -1) @ v
    return gradients(out, [*qkv, *bias.parameters()])


def attention(
    path: type[BiasedAttention], kind: str, weather: str, dtype: torch.dtype
) -> list[Tensor]:
    """The same by one of the package's paths: q, k, v in a precision, the bias in its own."""
    precision = torch.promote_types(dtype, torch.float32)
    core = path(build(PLAIN[kind][0]).to(precision))
    qkv = [tensor.to(dtype).requires_grad_() for tensor in problem()]
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
        out = core(*qkv, fields(terrain(weather), precision))
    return gradients(out, [*qkv, *core.bias.parameters()])


@pytest.fixture(params=["dense", "tiled whole", "tiled in pieces", "tiled by products"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type[BiasedAttention]:
    """Every path; small tiles that do not divide the tokens make all seams appear."""
    if request.param == "tiled by products":  # as on a GPU that cannot fuse
        monkeypatch.setattr(tiled, "_attend", tiled.attend_plainly)
    if request.param == "tiled in pieces":
        for name, size in {"QUERIES": 5, "KEYS": 4, "UNBIASED_KEYS": 3, "SCORES": 3}.items():
            monkeypatch.setattr(tiled, name, size)
        monkeypatch.setattr(tiled, "PAIR_FLOATS", 40)
    return DenseAttention if request.param == "dense" else TiledAttention


@pytest.mark.parametrize("weather", ["mixed", "flat", "storm"])
@pytest.mark.parametrize("kind", PLAIN)
def test_attention_and_every_gradient_equal_the_plain_version(
    path: type[BiasedAttention], kind: str, weather: str
) -> None:
    expected = plain_attention(kind, weather)
    found = attention(path, kind, weather, torch.float64)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-5), (torch.bfloat16, 4e-2)])
@pytest.mark.parametrize("kind", PLAIN)
def test_lower_precision_stays_near(
    path: type[BiasedAttention], kind: str, dtype: torch.dtype, tolerance: float
) -> None:
    found = attention(path, kind, "mixed", dtype)
    for one, other in zip(found, plain_attention(kind, "mixed"), strict=True):
        assert one.isfinite().all()
        # a sum over all pairs that nearly cancels, such as alpha's, keeps only absolute precision
        size = other.norm() + 0.5 * math.sqrt(other.numel())
        assert (one.double() - other).norm() < tolerance * size


@pytest.mark.parametrize("kind", PLAIN)
def test_inspection_takes_float64_whatever_the_weights_are(kind: str) -> None:
    given = fields(terrain("mixed"))
    values = (given.elevation_m, given.u_ms, given.v_ms, given.wind_speed_ms)
    bias = build(PLAIN[kind][0])
    expected = biases.dense(bias, *values)
    found = biases.dense(bias.float(), *values)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", PLAIN)
def test_terrain_and_wind_are_not_differentiated(path: type[BiasedAttention], kind: str) -> None:
    samples = terrain("mixed")
    values = [value.requires_grad_() for sample in samples for value in sample.values()]
    qkv = [tensor.requires_grad_() for tensor in problem()]
    out = path(build(PLAIN[kind][0]))(*qkv, fields(samples))
    received = torch.autograd.grad(out.sum(), [*qkv, *values], allow_unused=True)
    assert all(gradient is not None for gradient in received[:3])
    assert not any(gradient is not None for gradient in received[3:])


@pytest.mark.parametrize("kind", PLAIN)
def test_every_parameter_gets_a_gradient_at_its_initial_value(kind: str) -> None:
    bias = biases.build(PLAIN[kind][0], grid=(ROWS, COLUMNS), num_heads=HEADS)
    bias.double()
    learned = dict(bias.named_parameters())
    received = gradients(
        DenseAttention(bias)(*problem(), fields(terrain("mixed"))), [*learned.values()]
    )
    without_gradient = [
        name for name, grad in zip(learned, received[1:], strict=True) if not grad.any()
    ]
    assert without_gradient == WITHOUT_GRADIENT_AT_FIRST.get(kind, [])


def sample(elevation_m: list[float], speed_ms: list[float], **wind: float) -> tuple[Tensor, ...]:
    e, s = (torch.tensor([values], dtype=torch.float64) for values in (elevation_m, speed_ms))
    return e, torch.full_like(e, wind.get("u", 0.0)), torch.full_like(e, wind.get("v", 0.0)), s


def two_patches(stanza: dict[str, Any]) -> Bias:
    return biases.build(stanza, grid=(1, 2), num_heads=HEADS).double()


def test_a_step_of_1000_m_gives_minus_half_alpha_without_wind_modulation() -> None:
    bias = two_patches({"kind": "barrier", "alpha_init": 0.2, "wind_modulation": False})
    expected = torch.tensor([[[[0.0, -0.1], [0.0, 0.0]]]], dtype=torch.float64)
    found = biases.dense(bias, *sample([0.0, 1000.0], [0.0, 0.0]))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("speed_ms", "expected"),
    [(0.0, -0.5 * (1 - 0.3 / (1 + math.exp(5)))), (60.0, -0.35)],
    ids=["still air: the sigmoid of -5 is 0.7 %, not 0", "storm: 30 % weaker"],
)
def test_wind_weakens_barriers(speed_ms: float, expected: float) -> None:
    bias = two_patches({"kind": "barrier", "alpha_init": 1.0})
    found = biases.dense(bias, *sample([0.0, 1000.0], [speed_ms, speed_ms]))
    assert found[0, 0, 0, 1].item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("u", "v", "sector"),
    [(3.0, 0.1, 0), (0.1, 3.0, 3), (-3.0, -0.1, 8), (3.0, -0.1, 15), (3.0, -1e-17, 0)],
)
def test_lookup_sector_is_counted_from_eastward_towards_northward(
    u: float, v: float, sector: int
) -> None:
    bias = two_patches({"kind": "barrier_lookup"})
    features = bias.features(Fields.in_raster_order(*sample([0.0, 1.0], [3.0, 3.0], u=u, v=v)))
    assert features[0, 2].tolist() == [sector, sector]


def test_log_buckets_are_exact_near_and_monotone_far() -> None:
    buckets = log_buckets(128, 32)
    assert buckets.tolist()[127:135] == [0, 17, 18, 19, 20, 21, 22, 23]
    assert buckets.tolist()[120:127] == [7, 6, 5, 4, 3, 2, 1]
    assert buckets.tolist() == [plain_biases.bucket(offset, 128) for offset in range(-127, 128)]
    assert buckets[127:].diff().min() >= 0 or buckets[128:].diff().min() >= 0
    assert int(buckets.max()) == 31
    assert int(log_buckets(4, 32).max()) == 19


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="barrier_lookup"):
        biases.build({"kind": "wall"}, grid=(1, 2), num_heads=1)


def test_autocast_does_not_reach_a_bias() -> None:
    bias = build(PLAIN["barrier_mlp"][0]).float()
    given = fields(terrain("mixed"), torch.float32)
    wind = (given.elevation_m, given.u_ms, given.v_ms, given.wind_speed_ms)
    exact = biases.dense(bias, *wind)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(biases.dense(bias, *wind), exact)
    assert isinstance(bias, nn.Module)
