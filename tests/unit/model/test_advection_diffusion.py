"""The operators of the latent ODE, its solution, and what they must conserve."""

from __future__ import annotations

from itertools import product

import numpy as np
import plain_edges
import pytest
import torch
from plain_edges import COLUMNS, FOUR, ROWS, SAMPLES, SPACING_KM, inside
from scipy.linalg import expm
from torch import Tensor
from torchdiffeq import odeint

from airshed.model.advection_diffusion import Flow, RecomputedFlow
from airshed.model.edges import SIDES, Edges
from airshed.model.geography import Fields, PatchGrid
from airshed.model.scan import Order

DIM, STEPS, TOKENS = 3, 12, ROWS * COLUMNS
PATCHES = list(product(range(ROWS), range(COLUMNS)))


def flow(steps: int = STEPS, kind: type[Flow] = Flow) -> Flow:
    torch.manual_seed(0)
    made = kind(plain_edges.patch_grid(), DIM, steps)
    made.diffusion_logit.data = torch.tensor([-2.0, 0.0, 1.0])
    made.speed_logit.data = torch.tensor([0.0, 0.5, -1.0])
    return made.double()


def at() -> Fields:
    return Fields(*(f.double() if f.is_floating_point() else f for f in plain_edges.fields()))


def matrices(made: Flow, operator: str, channel: int) -> Tensor:
    """The operator as matrices [B, N, N] in raster order, by applying it to unit fields."""
    operators = made.operators(at())
    unit = torch.eye(TOKENS, dtype=torch.float64).unsqueeze(-1).expand(-1, -1, DIM)
    columns = []
    for field in unit:
        latent = field.expand(SAMPLES, -1, -1)
        moved = getattr(made, operator)(latent, made.edges.sources(latent), operators)
        columns.append(moved[..., channel])
    return torch.stack(columns, -1)


def plain_advection(sample: int) -> np.ndarray:
    """The advection matrix in (100 h)-1 for a speed of 1, rate by rate."""
    rates = np.zeros((TOKENS, TOKENS))  # to, from
    for (row, column), (down, right) in product(PATCHES, FOUR):
        target = (row + down, column + right)
        if inside(*target):
            e = plain_edges.edge(plain_edges.fields(), sample, (row, column), target)
            to, source = target[0] * COLUMNS + target[1], row * COLUMNS + column
            rates[to, source] = 100 * e.rate_per_h * e.passage
    rates *= np.minimum(1, STEPS / 2 / np.maximum(rates.sum(0), 1e-9))
    return rates - np.diag(rates.sum(0))


def plain_diffusion(sample: int) -> np.ndarray:
    """The diffusion matrix for kappa = 1."""
    weights = np.zeros((TOKENS, TOKENS))
    for (row, column), (down, right) in product(PATCHES, FOUR):
        target = (row + down, column + right)
        if inside(*target):
            e = plain_edges.edge(plain_edges.fields(), sample, (row, column), target)
            to, source = target[0] * COLUMNS + target[1], row * COLUMNS + column
            weights[to, source] = e.exchange * (min(SPACING_KM) / e.length_km) ** 2
    return weights - np.diag(weights.sum(1))


def test_operators_equal_their_formulas() -> None:
    made = flow()
    speed = 2 * made.speed_logit.sigmoid().detach()
    kappa = STEPS / 4 * made.diffusion_logit.sigmoid().detach()
    for channel, sample in product(range(DIM), range(SAMPLES)):
        advection = matrices(made, "advected", channel)[sample].detach()
        diffusion = matrices(made, "diffused", channel)[sample].detach()
        expected = torch.from_numpy(plain_advection(sample)) * speed[channel]
        torch.testing.assert_close(advection, expected, rtol=1e-4, atol=1e-5)
        expected = torch.from_numpy(plain_diffusion(sample)) * kappa[channel]
        torch.testing.assert_close(diffusion, expected, rtol=1e-4, atol=1e-5)


def test_advection_keeps_the_sum_and_diffusion_is_symmetric() -> None:
    made = flow()
    advection, diffusion = (matrices(made, name, 0).detach() for name in ("advected", "diffused"))
    none = torch.zeros(SAMPLES, TOKENS, dtype=torch.float64)
    assert advection.abs().max() > 1
    torch.testing.assert_close(advection.sum(1), none)  # columns
    torch.testing.assert_close(diffusion, diffusion.mT)
    torch.testing.assert_close(diffusion.sum(2), none)  # a constant field stays
    assert (torch.linalg.eigvalsh(diffusion) < 1e-9).all()


def test_strong_winds_are_slowed_to_the_limit_and_weak_ones_are_not() -> None:
    fields = at()
    flat = fields._replace(elevation_m=torch.zeros_like(fields.elevation_m))
    lost = [
        flow().operators(flat._replace(u_ms=share * flat.u_ms, v_ms=share * flat.v_ms)).lost
        for share in (0.004, 0.008, 100.0)
    ]
    torch.testing.assert_close(lost[1], 2 * lost[0])
    assert lost[2].max().item() == pytest.approx(STEPS / 2)
    assert lost[1].max() < STEPS / 2


def only(made: Flow, operator: str) -> Flow:
    """A flow whose gate is fully open for one of the operators."""
    torch.nn.init.zeros_(made.gate.weight)
    torch.nn.init.constant_(made.gate.bias, 1e4 if operator == "diffused" else -1e4)
    return made


@pytest.mark.parametrize("operator", ["advected", "diffused"])
def test_integration_conserves_and_keeps_positive(operator: str) -> None:
    made, fields = only(flow(), operator), at()
    latent = torch.zeros(SAMPLES, TOKENS, DIM, dtype=torch.float64)
    latent[:, ::4] = torch.rand(SAMPLES, 5, DIM, dtype=torch.float64)
    after = made(latent, fields, torch.tensor([12.0, 100.0]))
    torch.testing.assert_close(after.sum(1), latent.sum(1))
    assert (after >= 0).all()
    assert (after - latent).abs().max() > 0.05


@pytest.mark.parametrize("operator", ["advected", "diffused"])
def test_each_sample_reaches_its_own_lead_time(operator: str) -> None:
    """Against the matrix exponential of the operator, for two leads in one batch."""
    made, lead_hours = only(flow(steps=400), operator), [12.0, 96.0]
    latent = torch.rand(SAMPLES, TOKENS, DIM, dtype=torch.float64)
    in_raster = plain_edges.fields(shuffled=False)
    raster = Fields(*(f.double() if f.is_floating_point() else f for f in in_raster))
    found = made(latent, raster, torch.tensor(lead_hours)).detach()
    for sample, channel in product(range(SAMPLES), range(DIM)):
        matrix = matrices(made, operator, channel)[sample].detach().numpy()
        exact = expm(matrix * lead_hours[sample] / 100) @ latent[sample, :, channel].numpy()
        np.testing.assert_allclose(found[sample, :, channel], exact, atol=2e-3)


def test_wind_carries_at_its_own_speed() -> None:
    """In a steady eastward wind the centre of mass moves with it, whatever the distances."""
    rows, columns, wind_ms, hours, steps = 3, 40, 1.0, 10.0, 100
    axes = torch.eye(2)[:, :, None].repeat(1, 1, rows * columns)
    made = only(Flow(PatchGrid(rows, columns, (30.0, 20.0), axes), 1, steps), "advected")
    flat, calm = torch.zeros(1, rows * columns), torch.zeros(1, rows * columns)
    fields = Fields.in_raster_order(flat, calm + wind_ms, calm, calm + wind_ms)
    start = torch.zeros(1, rows, columns, 1)
    start[:, 1, 10] = 1
    after = made(start.view(1, -1, 1), fields, torch.tensor([hours])).view(rows, columns)
    centre_km = 20 * (after.sum(0) * torch.arange(columns)).sum().item()
    open_passage = torch.sigmoid(torch.tensor(1200 / 200)).item()
    assert centre_km - 200 == pytest.approx(3.6 * wind_ms * hours * open_passage, rel=1e-4)


def test_operator_and_gate_follow_terrain_and_wind() -> None:
    made, fields = flow(), at()
    latent = torch.rand(SAMPLES, TOKENS, DIM, dtype=torch.float64)
    lead_hours = torch.tensor([24.0, 48.0])
    before = made(latent, fields, lead_hours)
    for name in ("elevation_m", "u_ms", "v_ms"):
        changed = fields._replace(**{name: 0.5 * getattr(fields, name)})
        assert (made(latent, changed, lead_hours) - before).abs().max() > 1e-3, name


def test_recomputing_changes_nothing() -> None:
    latent = torch.rand(SAMPLES, TOKENS, DIM, dtype=torch.float64, requires_grad=True)
    results = []
    for kind in (Flow, RecomputedFlow):
        made = flow(kind=kind)
        out = made(latent, at(), torch.tensor([24.0, 96.0]))
        results.append([out, *torch.autograd.grad(out.sum(), [latent, *made.parameters()])])
    for one, other in zip(*results, strict=True):
        assert torch.equal(one, other)


def test_evaluations_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    made, calls = flow(steps=5), []
    tendency = made.tendency
    monkeypatch.setattr(made, "tendency", lambda *given: calls.append(1) or tendency(*given))
    made(torch.rand(SAMPLES, TOKENS, DIM).double(), at(), torch.tensor([12.0, 96.0]))
    assert len(calls) == 2 * 5
    assert Edges(plain_edges.patch_grid(), directions=SIDES).offsets == list(SIDES)
    with pytest.raises(ValueError, match="geography"):
        made(torch.rand(1, TOKENS, DIM), None, torch.tensor([12.0]))


def test_a_library_solves_it_alike() -> None:
    made, fields = flow(), at()
    generator = torch.Generator().manual_seed(3)
    latent = torch.randn(SAMPLES, TOKENS, DIM, generator=generator, dtype=torch.float64)
    operators, lead_hours = made.operators(fields), torch.full((SAMPLES,), 48.0).double()

    def rate(_: Tensor, at_time: Tensor) -> Tensor:
        return 0.48 * made.tendency(at_time, operators)

    times = torch.linspace(0, 1, STEPS + 1)
    expected = odeint(rate, latent, times, method="midpoint")[-1]
    order = Order(fields.patch)
    found = order.restore(made(order.apply(latent), fields, lead_hours))
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)
