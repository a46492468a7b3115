"""What several kinds of wrong input are given to."""

from __future__ import annotations

import pytest
from finished_study import Finished, finish
from made_once import MadeOnce


@pytest.fixture(scope="session")
def finished(made_once: MadeOnce) -> Finished:
    """A tiny study whose training is done."""
    return Finished(made_once("finished", finish))
