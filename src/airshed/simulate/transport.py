"""Finite-volume transport: upwind advection and diffusion, hindered where air must climb."""

from __future__ import annotations

import numpy as np

from airshed.arrays import Floats
from airshed.simulate.wind import Flow

BARRIER_M = 1000.0  # rise between neighbouring cells from which blocking is complete
DIFFUSIVITY_M2_S = 2.0e4
MAX_COURANT = 0.8


class Transport:
    """Moves concentrations [S, Y, X] with a flow on a grid of square cells.

    Flux across a face is upwind advection plus diffusion. Where it climbs, only
    ``1 - blocking * min(rise / 1000 m, 1)`` of it passes; downhill all of it does. What leaves one
    cell enters its neighbour, so that mass is conserved with and without terrain.

    Args:
        elevation_m: [Y, X].
        cell_m: Side of a cell.
        blocking: Share of a flux that a rise of 1000 m blocks; 0 is transport on a flat earth.
        inflow: [S] concentrations of air that enters the grid; None closes the boundary.
    """

    def __init__(
        self, elevation_m: Floats, cell_m: float, blocking: float, inflow: Floats | None
    ) -> None:
        self.cell_m, self.inflow = cell_m, inflow
        padded = np.pad(elevation_m, 1, mode="edge")
        along_x = np.diff(padded[1:-1], axis=1) / BARRIER_M
        along_y = np.diff(padded[:, 1:-1], axis=0) / BARRIER_M
        # what passes a face in the direction of increasing index, and against it
        self._forward = tuple(1 - blocking * np.clip(rise, 0, 1) for rise in (along_x, along_y))
        self._backward = tuple(1 - blocking * np.clip(-rise, 0, 1) for rise in (along_x, along_y))

    def advance(self, concentration: Floats, flow: Flow, seconds: float) -> Floats:
        """Concentrations after ``seconds``, in as many steps as stability asks for."""
        fastest = np.abs(flow.u).max() + np.abs(flow.v).max()
        rate = fastest / self.cell_m + 4 * DIFFUSIVITY_M2_S / self.cell_m**2
        steps = int(np.ceil(seconds * rate / MAX_COURANT))
        for _ in range(steps):
            concentration = self._step(concentration, flow, seconds / steps)
        return concentration

    def _step(self, concentration: Floats, flow: Flow, seconds: float) -> Floats:
        padded = np.pad(concentration, ((0, 0), (1, 1), (1, 1)), mode="edge")
        if self.inflow is not None:
            for edge in (np.s_[:, 0], np.s_[:, -1], np.s_[:, :, 0], np.s_[:, :, -1]):
                padded[edge] = self.inflow[:, None]
        flux_x = self._flux(padded[:, 1:-1, :-1], padded[:, 1:-1, 1:], flow.u, 0)
        flux_y = self._flux(padded[:, :-1, 1:-1], padded[:, 1:, 1:-1], flow.v, 1)
        if self.inflow is None:
            flux_x[:, :, [0, -1]] = 0
            flux_y[:, [0, -1]] = 0
        spread = np.diff(flux_x, axis=2) + np.diff(flux_y, axis=1)
        return np.asarray(concentration - seconds / self.cell_m * spread)

    def _flux(self, before: Floats, after: Floats, velocity: Floats, axis: int) -> Floats:
        flux = np.maximum(velocity, 0) * before + np.minimum(velocity, 0) * after
        flux += DIFFUSIVITY_M2_S / self.cell_m * (before - after)
        return np.asarray(flux * np.where(flux > 0, self._forward[axis], self._backward[axis]))
