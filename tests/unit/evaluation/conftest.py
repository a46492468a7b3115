"""What the tests of scorers share."""

from __future__ import annotations

import pytest
from scoring import Case, make_case

from airshed.evaluation.scores import Subject


@pytest.fixture
def case() -> Case:
    return make_case()


@pytest.fixture
def subject() -> Subject:
    return Subject("variant", "wind_baseline", 3, "simulated_china", "simulated", "abc")
