"""Types of numpy arrays, by what they hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Floats32 = npt.NDArray[np.float32]
Integers = npt.NDArray[np.integer[Any]]
Flags = npt.NDArray[np.bool_]
