"""Which attention path is chosen, why, and for how long that is remembered."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from airshed.errors import AirshedError
from airshed.model import bias as biases
from airshed.model.attention import (
    Choice,
    DenseAttention,
    FusedAttention,
    HalfTiledAttention,
    KernelAttention,
    PlainAttention,
    TiledAttention,
    Workload,
    biased_attention,
    cache,
    choice,
    choose,
    paths,
    plain_attention,
)

CPU, GPU = torch.device("cpu"), torch.device("cuda")
SMALL = Workload(2, 32, 2, 8, torch.float32, CPU)
FAST, SLOW, WRONG = (
    {"ms": 1.0, "error": 1e-6, "error_learned": 1e-6},
    {"ms": 9.0, "error": 1e-6, "error_learned": 1e-6},
    {"lacking": "deviates by 1.0e+00"},
)


def build(kind: str = "barrier") -> biases.Bias:
    return biases.build({"kind": kind}, grid=(2, 16), num_heads=2)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRSHED_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_known", {})
    monkeypatch.setattr(choice, "median_ms", lambda work: 1.0)
    return tmp_path / "cache"


def tried(monkeypatch: pytest.MonkeyPatch, **found: dict[str, Any]) -> list[str]:
    """Lets each candidate of a GPU be found so; which were asked for."""
    asked: list[str] = []

    def find(path: str, *others: Any) -> dict[str, Any]:
        asked.append(path)
        return found.get(path, WRONG)

    monkeypatch.setattr(choice, "_results", lambda *arguments: [])
    monkeypatch.setattr(choice, "_lacking", lambda *arguments: None)
    monkeypatch.setattr(choice, "_tried", find)
    return asked


def test_a_cpu_and_few_tokens_leave_nothing_to_measure() -> None:
    assert choose(build(), SMALL) == Choice("dense", {})
    assert choose(build(), SMALL._replace(tokens=8192)) == Choice("tiled", {})
    assert choose(None, SMALL) == Choice("plain", {})
    assert type(biased_attention(build(), SMALL)) is DenseAttention
    assert type(plain_attention(SMALL)) is PlainAttention


def test_the_fastest_exact_path_is_taken_and_remembered(
    monkeypatch: pytest.MonkeyPatch, empty_cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(choice, "_suit_large_tiles", lambda: True)
    asked = tried(monkeypatch, kernel=SLOW, fused=FAST, tiled=WRONG)
    workload = SMALL._replace(tokens=8192, device=GPU)
    with caplog.at_level(logging.INFO):
        found = choose(build(), workload)
    small = {"lacking": "large tiles suit this card"}
    expected = {"kernel": SLOW, "kernel_small": small, "fused": FAST, "tiled": WRONG}
    expected |= {"tiled_bfloat16": WRONG}
    assert found == Choice("fused", expected)
    assert "Barrier: fused (kernel 9 ms, error 1e-06; kernel_small: large tiles" in caplog.text
    assert "tiled: deviates by 1.0e+00" in caplog.text
    assert type(biased_attention(build(), workload)) is FusedAttention
    monkeypatch.setattr(cache, "_known", {})  # another process of this machine
    assert choose(build(), workload) == found
    assert asked == ["kernel", "fused", "tiled", "tiled_bfloat16"]
    for other in (workload._replace(samples=4), workload._replace(dtype=torch.bfloat16)):
        choose(build(), other)
    choose(build("topoflow"), workload)
    monkeypatch.setattr(cache, "version_of", lambda package: "4.1")  # FlashAttention-4 was added
    choose(build(), workload)
    assert len(asked) == 20
    assert len(list(empty_cache.iterdir())) == 5


def test_small_tiles_are_timed_where_large_ones_were_not(monkeypatch: pytest.MonkeyPatch) -> None:
    tried(monkeypatch, kernel=SLOW, kernel_small=FAST, fused=SLOW, tiled=SLOW)
    assert choose(build(), SMALL._replace(tokens=8192, device=GPU)).path == "kernel_small"


def test_large_tiles_suit_the_cards_that_they_were_measured_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An MI250 (gfx90a) calls itself 9.0, as an H200 does."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for hip, capability, suit in (
        (None, (9, 0), True),
        (None, (8, 0), False),
        ("7.1", (9, 0), False),
    ):
        monkeypatch.setattr(torch.version, "hip", hip)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda it=capability: it)
        assert choice._suit_large_tiles() is suit


def test_half_a_file_is_measured_again_and_a_full_disk_harms_nothing(
    monkeypatch: pytest.MonkeyPatch, empty_cache: Path
) -> None:
    tried(monkeypatch, kernel=FAST, fused=SLOW, tiled=SLOW)
    workload = SMALL._replace(tokens=8192, device=GPU)
    choose(build(), workload)
    (file,) = empty_cache.iterdir()
    file.write_text(file.read_text()[:20])
    monkeypatch.setattr(cache, "_known", {})
    assert choose(build(), workload).path == "kernel"
    monkeypatch.setattr(cache, "_known", {})
    monkeypatch.setenv("AIRSHED_CACHE", str(file))  # no folder
    assert choose(build(), workload).path == "kernel"


def test_without_any_working_path_the_run_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    tried(monkeypatch, kernel=WRONG, fused={"lacking": "no compiler"}, tiled=WRONG)
    with pytest.raises(AirshedError, match=r"(?s)no attention path works.*fused: no compiler"):
        choose(build(), SMALL._replace(tokens=8192, device=GPU))


@pytest.mark.parametrize("kind", ["barrier", "relative_position"])
def test_candidates_are_compared_as_they_are_used(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real comparison, in the interpreter: a kernel whose result is wrong is found out."""
    pytest.importorskip("triton")
    found = choice._measured(build(kind), SMALL)["found"]
    assert found["fused"] == {"lacking": "FlexAttention has no backward pass on a CPU"}
    for path in ("kernel", "tiled"):
        assert found[path]["error"] < 1e-5
        assert found[path]["error_learned"] < 1e-3
    attend = KernelAttention.attend

    def wrong(self: KernelAttention, q: Tensor, *others: Tensor) -> Tensor:
        return attend(self, 1.05 * q, *others)

    monkeypatch.setattr(KernelAttention, "attend", wrong)
    assert "deviates by" in choice._measured(build(kind), SMALL)["found"]["kernel"]["lacking"]


@pytest.mark.parametrize("kind", ["barrier_mlp", "relative_position_3d"])
def test_sums_that_are_0_exclude_no_path_in_half_precision(kind: str) -> None:
    """The last layer of a perceptron adds one number to all scores of a query, which changes none
    of its weights: what is found there is rounding. It is the only path that they have."""
    found = choice._measured(build(kind), SMALL._replace(dtype=torch.bfloat16))
    assert found["path"] == "tiled"
    assert 0 < found["found"]["tiled"]["error_learned"] < 0.1


def test_a_path_that_is_set_is_taken_or_refused() -> None:
    assert type(biased_attention(build(), SMALL, "tiled")) is TiledAttention
    assert type(biased_attention(build(), SMALL._replace(tokens=8192), "dense")) is DenseAttention
    with pytest.raises(AirshedError, match=r"(?s)train\.attention.*no tile function"):
        biased_attention(build("barrier_mlp"), SMALL, "kernel")
    with pytest.raises(AirshedError, match="no backward pass on a CPU"):
        biased_attention(build(), SMALL, "fused")
    with pytest.raises(AirshedError, match="not elementwise"):
        biased_attention(build("barrier_mlp"), SMALL._replace(device=GPU), "fused")


def test_flash_attention_4_is_handed_tokens_before_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the package: its layout, its two results, and determinism as torch asks."""
    asked: list[bool] = []

    def flash_attn_func(*qkv: Tensor, deterministic: bool) -> tuple[Tensor, None]:
        asked.append(deterministic)
        heads_first = (part.transpose(1, 2) for part in qkv)
        return scaled_dot_product_attention(*heads_first).transpose(1, 2), None

    workload = SMALL._replace(dtype=torch.bfloat16)
    with pytest.raises(AirshedError, match="FlashAttention-4 is not installed"):
        plain_attention(workload, "flash4")
    module = ModuleType("flash_attn.cute")
    module.flash_attn_func = flash_attn_func  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "flash_attn", ModuleType("flash_attn"))
    monkeypatch.setitem(sys.modules, "flash_attn.cute", module)
    monkeypatch.setattr(paths, "installed", lambda name: True)
    with pytest.raises(AirshedError, match="half precision alone"):
        plain_attention(SMALL, "flash4")
    q, k, v = torch.randn(3, 2, 4, 32, 8).unbind()
    found = plain_attention(workload, "flash4")(q, k, v, None)
    torch.testing.assert_close(found, scaled_dot_product_attention(q, k, v))
    assert asked == [torch.are_deterministic_algorithms_enabled()]


@pytest.mark.parametrize("kind", ["barrier_mlp", "relative_position_3d"])
def test_hidden_layers_in_half_precision_are_exact_enough_to_be_chosen(kind: str) -> None:
    """On a CPU, which only shows what it computes: not bit for bit what the tiled path gives."""
    half = SMALL._replace(dtype=torch.bfloat16)
    one, bias = half._replace(samples=1), build(kind)
    reference = choice._results(choice._core("tiled", bias), one, torch.float32, bias)
    found = {}
    for path in ("tiled", "tiled_bfloat16"):
        facts = choice._tried(path, bias, half, reference)
        assert facts["error_learned"] < 0.2, facts
        found[path] = choice._results(choice._core(path, bias), one, torch.bfloat16, bias)
    assert not torch.equal(found["tiled"][0], found["tiled_bfloat16"][0])
    assert all(bool(part.any()) for part in found["tiled_bfloat16"])


def test_hidden_layers_in_half_precision_need_a_perceptron_a_gpu_and_such_a_training() -> None:
    half = SMALL._replace(dtype=torch.bfloat16, device=GPU)
    lacking = HalfTiledAttention.lacking
    assert lacking(build("barrier_mlp"), half) is None
    assert lacking(build(), half) == "the bias has no perceptron"
    assert lacking(build("barrier_mlp"), half._replace(dtype=torch.float32)) is not None
    with pytest.raises(AirshedError, match=r"(?s)train\.attention.*for a GPU"):
        biased_attention(build("barrier_mlp"), half._replace(device=CPU), "tiled_bfloat16")
