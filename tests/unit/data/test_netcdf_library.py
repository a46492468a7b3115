"""Calls into the NetCDF library that do not come to an end."""

from __future__ import annotations

import threading

import pytest

from airshed.data import netcdf_library
from airshed.data.netcdf_library import GivenUpError, given_up, within_limit


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that nobody has used, which is given up after a second."""
    monkeypatch.setattr(netcdf_library, "LIMIT_S", 1)
    monkeypatch.setattr(netcdf_library, "LOCK", threading.Lock())
    monkeypatch.setattr(netcdf_library, "_given_up", [])


def test_what_a_call_returns_or_raises_is_handed_on(fresh: None) -> None:
    assert within_limit(lambda: 3, "a.nc") == 3
    with pytest.raises(LookupError, match="no such variable"):
        within_limit(lambda: _raise(LookupError("no such variable")), "a.nc")
    with pytest.raises(TimeoutError):  # the library's own, not the limit's
        within_limit(lambda: _raise(TimeoutError()), "a.nc")
    assert not given_up()


def test_an_endless_call_is_given_up_and_named_from_then_on(fresh: None) -> None:
    end = threading.Event()
    with pytest.raises(GivenUpError, match=r"does not come to an end(.|\n)*bad.nc"):
        within_limit(end.wait, "bad.nc")
    assert given_up()
    with pytest.raises(GivenUpError, match=r"bad.nc"):
        within_limit(lambda: 3, "good.nc")
    end.set()


def test_one_call_at_a_time(fresh: None) -> None:
    inside: list[int] = []
    most: list[int] = []

    def read() -> None:
        inside.append(1)
        most.append(len(inside))
        threading.Event().wait(0.02)
        inside.pop()

    threads = [threading.Thread(target=within_limit, args=(read, "a.nc")) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 5


def _raise(error: Exception) -> None:
    raise error
