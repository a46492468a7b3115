"""What several kinds of wrong input are given to."""

from __future__ import annotations

import pytest
from finished_study import Finished


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A tiny study whose training is done."""
    return Finished(tmp_path_factory.mktemp("finished"))
