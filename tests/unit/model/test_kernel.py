"""The project's own kernels in Triton's interpreter, against the dense path in float64.

The interpreter multiplies bfloat16 as if it were whole numbers, so float16 stands for it.
"""

from __future__ import annotations

import pytest
import torch
from plain_biases import stir
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from airshed.bench.problem import computed_scan
from airshed.model import bias as biases
from airshed.model import build_model
from airshed.model.attention import KernelAttention, Paths
from airshed.model.attention.kernel import attend, kernel_attention, plain_attention
from airshed.model.attention.kernels.parts import bins_between, entries_of
from airshed.model.geography import Fields, Geography
from airshed.model.triton_language import constexpr, jit, tl

pytest.importorskip("triton")

KINDS = [kind for kind, cls in biases.KINDS.items() if cls.tile_function]
HEADS = 2
# an exact fit of tiles and of a head's two parts; tokens, rows and widths that fit nothing
EVEN, ODD = ((2, 32), 48), ((2, 41), 20)
NARROW = 10  # a head of fewer columns than a product of matrices takes


def build(kind: str, grid: tuple[int, int]) -> biases.Bias:
    torch.manual_seed(1)
    bias = biases.build({"kind": kind}, grid=grid, num_heads=HEADS)
    stir(bias.parameters())
    return bias


def problem(
    grid: tuple[int, int], width: int, dtype: torch.dtype = torch.float32, samples: int = 2
) -> tuple[list[Tensor], Fields]:
    """q, k, v, and terrain with equal elevations and rises of more than 5 km, in raster order."""
    generator = torch.Generator().manual_seed(0)
    tokens = grid[0] * grid[1]

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    qkv = random(samples, tokens, 3, HEADS, width).to(dtype).permute(2, 0, 3, 1, 4)
    elevation_m = (6 * random(samples, tokens).abs()).round().clamp(max=12) * 500
    wind = (size * random(samples, tokens) for size in (5, 5, 9))
    return [part.detach() for part in qkv], Fields.in_raster_order(elevation_m, *wind)


def differentiated(out: Tensor, wanted: list[Tensor]) -> list[Tensor]:
    """The output, and gradients of a loss that weighs every output differently."""
    weights = torch.linspace(-1, 1, out.numel(), dtype=torch.float64).view_as(out).cos()
    return [out.detach(), *torch.autograd.grad((out.double() * weights).sum(), wanted)]


def by_kernel(bias: biases.Bias, qkv: list[Tensor], fields: Fields) -> list[Tensor]:
    qkv = [part.requires_grad_() for part in qkv]
    return differentiated(KernelAttention(bias)(*qkv, fields), [*qkv, *bias.parameters()])


def in_double(bias: biases.Bias, qkv: list[Tensor], fields: Fields) -> list[Tensor]:
    """Everything in float64 but the bias, which must look up the same entries of its table."""
    q, k, v = [part.detach().double().requires_grad_() for part in qkv]
    features = bias.features(fields)
    scores = q @ k.mT * q.shape[-1] ** -0.5 + bias.tile(features, features)
    return differentiated(scores.softmax(-1) @ v, [q, k, v, *bias.parameters()])


def assert_near(found: list[Tensor], expected: list[Tensor], tolerance: float) -> None:
    for number, (one, other) in enumerate(zip(found, expected, strict=True)):
        assert other.any()
        # what a bias learns are sums that nearly cancel
        size = other.norm() + (0.1 if number > 3 else 0)
        assert (one.double() - other).norm() < tolerance * size


@pytest.mark.parametrize(
    ("size", "dtype", "samples", "tolerance"),
    [(EVEN, torch.float16, 2, 1e-2), (ODD, torch.float32, 1, 1e-5)],
    ids=["even, half precision", "odd, single precision"],
)
@pytest.mark.parametrize("kind", KINDS)
def test_output_and_every_gradient_equal_float64(
    kind: str, size: tuple[tuple[int, int], int], dtype: torch.dtype, samples: int, tolerance: float
) -> None:
    bias, (qkv, fields) = build(kind, size[0]), problem(*size, dtype, samples)
    fields = KernelAttention(bias).order(fields).fields(fields)  # as the network sorts them
    assert_near(by_kernel(bias, qkv, fields), in_double(bias, qkv, fields), tolerance)


@pytest.mark.parametrize("alpha", [-3.0, 0.0, 60.0])
@pytest.mark.parametrize("kind", ["barrier", "barrier_lookup"])
def test_extreme_strengths_and_tokens_in_any_order(kind: str, alpha: float) -> None:
    bias, (qkv, fields) = build(kind, (1, 33)), problem((1, 33), NARROW, samples=1)
    bias.alpha.data.fill_(alpha)
    found, expected = by_kernel(bias, qkv, fields), in_double(bias, qkv, fields)
    for one, other in zip(found, expected, strict=True):
        assert (one.double() - other).norm() <= 1e-5 * (other.norm() + 0.1)


def test_features_and_tables_may_lie_anywhere_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    bias, (qkv, fields) = build("topoflow", (1, 16)), problem((1, 16), NARROW)
    features, (strength, table) = bias.features(fields), bias.learned(bias.features(fields))
    apart = features.repeat_interleave(2, dim=0)[::2], table.repeat_interleave(2, dim=2)[..., ::2]
    results = []
    for given, entries in ((features, table), apart):
        monkeypatch.setattr(bias, "learned", lambda _, entries=entries: (strength, entries))
        out = kernel_attention(*qkv, given, bias)
        results.append([out, *torch.autograd.grad(out.square().sum(), [table], retain_graph=True)])
    for found, expected in zip(*results, strict=True):
        assert torch.equal(found, expected)


def test_without_a_bias() -> None:
    (q, k, v), _ = problem((1, 37), NARROW)
    qkv = [part.requires_grad_() for part in (q, k, v)]
    expected = differentiated(scaled_dot_product_attention(*qkv), qkv)
    assert_near(differentiated(plain_attention(*qkv), qkv), expected, 1e-5)


@jit
def _tile(
    function: constexpr, query, key, strength, table, out, width: constexpr, SIZE: constexpr,
    TABLE: constexpr, BIN: constexpr,
):  # fmt: skip
    """What a tile function says of pairs of tokens, whose places lie side by side in one row."""
    here, there = tl.arange(0, SIZE)[:, None], tl.arange(0, SIZE)[None, :]
    query0, key0 = tl.load(query + here), tl.load(key + there)
    low, high = bins_between(-100.0, 100.0, TABLE, BIN)
    place = here - there + width - 1
    entry = entries_of(table, key0 - query0, low, high, 0, place, TABLE, BIN, width)
    found = function(
        query0, tl.load(query + SIZE + here), key0, tl.load(key + SIZE + there), tl.load(strength),
        entry, 1.0,
    )  # fmt: skip
    for number in tl.static_range(3):
        tl.store(
            out + number * SIZE * SIZE + here * SIZE + there, found[number] + 0.0 * (here + there)
        )


@pytest.mark.parametrize("kind", KINDS)
def test_the_tile_function_says_what_the_score_says(kind: str) -> None:
    """Bias, and its derivatives by strength and entry, by automatic differentiation."""
    size = 16
    bias, (_, fields) = build(kind, (1, size)), problem((1, size), 8)
    features = bias.features(fields)[:1]
    tile = bias.tile_function
    assert tile is not None
    strength, table = (part.detach().requires_grad_() for part in bias.learned(features))
    given = torch.zeros(2, size)
    given[: tile.features] = features[0, : tile.features]
    found = torch.zeros(3, size, size)
    _tile[(1,)](
        tile.function, given, given, strength, table, found, size, size,
        tile.table, tile.bin,
    )  # fmt: skip

    expected = bias.tile(features, features)[0, 0]
    torch.testing.assert_close(found[0], expected, rtol=1e-6, atol=1e-6)
    learned = list(bias.parameters())
    one_by_one = [
        torch.autograd.grad(score, learned, retain_graph=True) for score in expected.flatten()
    ]
    for name, derivative in (("alpha", found[1]), ("table", found[2])):
        places = [n for n, (key, _) in enumerate(bias.named_parameters()) if key.endswith(name)]
        for place in places:  # of a table every score reads one entry
            wanted = torch.stack([grads[place].sum() for grads in one_by_one])
            torch.testing.assert_close(derivative.flatten(), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["topoflow"])
def test_a_compiler_takes_the_operator_as_it_is(kind: str) -> None:
    """Schema, shapes without data and gradients, as torch checks operators; no break of a graph."""
    bias, (qkv, fields) = build(kind, (2, 16)), problem((2, 16), 8)
    q, k, v = (part.requires_grad_() for part in qkv)
    features, line = bias.features(fields), 16  # a row
    learned = [part.detach().requires_grad_() for part in bias.learned(features)]
    arguments = (q, k, v, features, *learned, type(bias).__name__, line, False)
    torch.library.opcheck(
        attend,
        arguments,
        test_utils=("test_schema", "test_faketensor", "test_autograd_registration"),
    )
    core = KernelAttention(bias)
    compiled = torch.compile(core, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(q, k, v, fields), core(q, k, v, fields))


@pytest.mark.parametrize("kind", ["barrier", "relative_position"])
def test_a_network_does_not_depend_on_the_path(kind: str, geography: Geography) -> None:
    """Tokens come to the kernels sorted, by elevation or by place, and go back where they were."""
    results = []
    for path in ("kernel", "tiled"):
        network = build_model(
            ("u", "v", "o3"), (8, 16), bias={"kind": kind, "blocks": "all"}, geography=geography,
            scan=computed_scan("wind", (4, 8), (2, 2), 16, 2), seed=0, depth=1, num_heads=HEADS,
            embed_dim=16, attention=Paths("plain", path),
        ).eval()  # fmt: skip
        x = torch.linspace(-2, 2, 768).cos().view(2, 3, 8, 16)
        out = network(x, torch.tensor([12.0, 48.0]), ("u", "o3"))
        wanted = [*network.parameters()]
        results.append([out, *torch.autograd.grad(out.square().sum(), wanted)])
        assert {core.path for core in network.cores} == {path}
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
