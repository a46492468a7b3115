"""Compiling and recomputing blocks change speed and memory, and no result beyond rounding."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from forked import exit_code, preload
from torch import Tensor
from torch._dynamo.exc import FailOnRecompileLimitHit
from torch._dynamo.utils import counters

from airshed.errors import AirshedError
from airshed.model import ClimaX
from airshed.model.attention import PlainAttention, Workload, biased_attention
from airshed.model.bias import build
from airshed.model.dynamo import allow_forms
from airshed.model.geography import Geography
from airshed.model.transformer import Block, RecomputedBlock
from airshed.training import compilation
from airshed.training.compilation import compile_blocks

preload("airshed.training.compilation")

CPU = torch.device("cpu")
GRID, PATCH = (8, 16), 2
DENSE, TILED = (32, 32), (8192, 8192)  # tokens of two blocks


def terrain() -> Geography:
    eye = torch.eye(2)[:, :, None, None].repeat(1, 1, *GRID)
    return Geography(
        elevation_m=3000 * torch.rand(32),
        wind_channels=(0, 1),
        wind_mean_ms=torch.zeros(2),
        wind_std_ms=torch.ones(2),
        to_grid=eye,
        to_earth=eye,
        mask=torch.ones(GRID),
        patch_size=PATCH,
        spacing_km=(40.0, 25.0),
    )


def network(block: type[Block] = Block, *tokens: int) -> ClimaX:
    """A small biased network with dropout, always of the same weights.

    Args:
        block: Kind of its two blocks.
        tokens: For which each of them chooses its attention path; 32 where nothing is given.
    """
    torch.manual_seed(0)
    cores = [
        biased_attention(
            build({"kind": kind}, grid=(4, 8), num_heads=2),
            Workload(1, count, 2, 8, torch.float32, CPU),
        )
        for kind, count in zip(("barrier", "topoflow"), tokens or (32, 32), strict=True)
    ]
    return ClimaX(
        ("u", "v", "o3"),
        GRID,
        embed_dim=16,
        depth=2,
        num_heads=2,
        geography=terrain(),
        cores=cores,
        block=block,
    )


def forecast_and_gradients(model: ClimaX) -> list[Tensor]:
    """In training mode, with the same dropout every time."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(3, 3, *GRID, generator=generator)
    torch.manual_seed(2)
    out = model.train()(x, torch.tensor([12.0, 24.0, 96.0]), ("o3",))
    return [out.detach(), *torch.autograd.grad(out.square().sum(), [*model.parameters()])]


@pytest.mark.parametrize("tokens", [DENSE, TILED], ids=["dense", "tiled"])
def test_recomputed_blocks_give_the_same_bits(tokens: tuple[int, int]) -> None:
    expected = forecast_and_gradients(network(Block, *tokens))
    for found, other in zip(
        forecast_and_gradients(network(RecomputedBlock, *tokens)), expected, strict=True
    ):
        assert torch.equal(found, other)


def test_recomputed_blocks_keep_less() -> None:
    def kept(block: type[Block]) -> int:
        sizes: list[int] = []

        def pack(tensor: Tensor) -> Tensor:
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            forecast = network(block)(torch.randn(1, 3, *GRID), torch.tensor([12.0]), ("o3",))
        assert forecast.requires_grad
        return sum(sizes)

    assert kept(RecomputedBlock) < 0.6 * kept(Block)


@pytest.mark.parametrize(
    ("backend", "block", "tokens"),
    [
        ("aot_eager", Block, DENSE),
        ("aot_eager", Block, TILED),
        ("aot_eager", RecomputedBlock, DENSE),
        ("aot_eager", RecomputedBlock, TILED),
        # takes many times as long: once, with one block of each path
        ("inductor", RecomputedBlock, (DENSE[0], TILED[0])),
    ],
)
def test_compiled_blocks_agree_to_rounding(
    backend: str, block: type[Block], tokens: tuple[int, int]
) -> None:
    if backend == "inductor" and compilation.lacking_compiler(CPU):
        backend = "eager"  # a machine without a compiler still checks that the graph is captured
    torch.compiler.reset()  # what was compiled before counts against a limit
    plain, model = network(Block, *tokens).eval(), network(block, *tokens).eval()
    for part in model.blocks:
        part.compile(backend=backend)
    x, lead = torch.randn(2, 3, *GRID), torch.tensor([12.0, 48.0])
    results = []
    for each in (plain, model):
        out = each(x, lead, ("u", "o3"))
        results.append([out, *torch.autograd.grad(out.square().sum(), [*each.parameters()])])
    for found, expected in zip(results[1], results[0], strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert model.state_dict().keys() == plain.state_dict().keys()


def deep(*kinds: str) -> ClimaX:
    """Six blocks with stochastic depth; the first ones have a bias each."""
    torch.manual_seed(0)
    made = [build({"kind": kind}, grid=(4, 8), num_heads=2) for kind in kinds]
    biased = [biased_attention(bias, Workload(1, 32, 2, 8, torch.float32, CPU)) for bias in made]
    plain = [PlainAttention() for _ in range(6 - len(biased))]
    sizes = {"embed_dim": 16, "depth": 6, "num_heads": 2, "decoder_depth": 1}
    return ClimaX(("u", "v", "o3"), GRID, geography=terrain(), cores=[*biased, *plain], **sizes)


def step(model: ClimaX) -> None:
    model.train()(torch.randn(2, 3, *GRID), torch.tensor([12.0, 48.0]), ("o3",)).sum().backward()


# the first block skips nothing, the other rates are one program's input
@pytest.mark.parametrize(
    ("biases", "programs"), [((), 2), (("barrier",), 2), (("barrier",) * 6, 2)]
)
def test_blocks_of_one_kind_are_compiled_once(biases: tuple[str, ...], programs: int) -> None:
    torch.compiler.reset()
    counters.clear()
    model = deep(*biases)
    for block in model.blocks:
        block.compile(backend="aot_eager")
    for _ in range(2):
        step(model)
    assert counters["stats"]["unique_graphs"] == 2
    assert not counters["graph_break"]


def test_beyond_its_limit_compiling_fails() -> None:
    torch.compiler.reset()
    config, names = torch._dynamo.config, ("recompile_limit", "accumulated_recompile_limit")
    model = deep()
    for block in model.blocks:
        block.compile(backend="eager")
    with config.patch(dict.fromkeys(names, 8) | {"fail_on_recompile_limit_hit": False}):
        allow_forms(3)
        assert [getattr(config, name) for name in names] == [24, 24]
        config.recompile_limit = 1
        with pytest.raises(FailOnRecompileLimitHit):
            step(model)


def compiled(model: ClimaX) -> list[bool]:
    return [block._compiled_call_impl is not None for block in model.blocks]


def test_auto_leaves_small_grids_on_a_cpu_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation, "lacking_compiler", lambda device: None)
    model = network()
    assert compile_blocks([model], "auto", CPU) is False
    assert compile_blocks([model], "never", torch.device("cuda")) is False
    assert compiled(model) == [False, False]
    monkeypatch.setattr(compilation, "CPU_TOKENS", 32)
    assert compile_blocks([model], "auto", CPU) is True
    assert compiled(model) == [True, True]


def test_a_machine_without_a_compiler_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(compilation, "lacking_compiler", lambda device: "nothing compiles here")
    monkeypatch.setattr(compilation, "CPU_TOKENS", 32)
    with caplog.at_level(logging.WARNING):
        assert compile_blocks([network()], "auto", CPU) is False
    assert "nothing compiles here" in caplog.text
    with pytest.raises(AirshedError, match=r"(?s)train\.compile.*nothing compiles here"):
        compile_blocks([network()], "always", CPU)


def test_a_compiler_is_tried_once_on_a_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Until it works, and again when another one is asked for."""
    outcomes = iter([RuntimeError("no"), None, None])

    def trial(device: torch.device) -> None:
        if (outcome := next(outcomes)) is not None:
            raise outcome

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "kept"))
    monkeypatch.setattr(compilation, "_compile_something", trial)
    assert [compilation.lacking_compiler(CPU) for _ in range(3)] == ["RuntimeError: no", None, None]
    monkeypatch.setenv("CXX", "another")
    assert compilation.lacking_compiler(CPU) is None
    assert next(outcomes, "all tried") == "all tried"


def test_a_compiler_that_is_there_and_fails_is_found_out() -> None:
    program = (
        "import os, torch; from torch._inductor import config;"
        "os.environ['CXX'] = '/bin/false'; config.cpp.cxx = (None, os.environ['CXX']);"
        "from airshed.training.compilation import lacking_compiler;"
        "assert 'No working C++ compiler' in lacking_compiler(torch.device('cpu'))"
    )
    assert exit_code(program) == 0
