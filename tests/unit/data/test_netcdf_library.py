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
    assert within_limit(lambda: 3, "a.nc", "") == 3
    with pytest.raises(LookupError, match="no such variable"):
        within_limit(lambda: _raise(LookupError("no such variable")), "a.nc", "")
    with pytest.raises(TimeoutError):  # the library's own, not the limit's
        within_limit(lambda: _raise(TimeoutError()), "a.nc", "")
    assert not given_up()


def test_an_endless_call_is_given_up_and_named_from_then_on(fresh: None) -> None:
    end = threading.Event()
    with pytest.raises(GivenUpError, match=r"(?s)does not come to an end.*bad.nc.*fetch it"):
        within_limit(end.wait, "bad.nc", "fetch it")
    assert given_up()
    with pytest.raises(GivenUpError, match=r"bad.nc"):
        within_limit(lambda: 3, "good.nc", "")
    end.set()


def test_who_waits_for_an_endless_call_is_not_blamed(
    fresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(netcdf_library, "LIMIT_S", 3)
    end, said = threading.Event(), []

    def read(name: str) -> None:
        try:
            within_limit(end.wait, name, "")
        except GivenUpError as error:
            said.append(error.details["where"])

    threads = [threading.Thread(target=read, args=(f"{n}.nc",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    end.set()
    assert len(said) == 4
    assert len(set(said)) == 1


def test_an_interrupted_call_that_ends_soon_is_not_given_up(
    fresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined = threading.Thread.join

    def interrupt_once(thread: threading.Thread, timeout: float | None = None) -> None:
        monkeypatch.setattr(threading.Thread, "join", joined)
        raise KeyboardInterrupt

    for seconds, left in ((0.2, False), (2, True)):
        monkeypatch.setattr(netcdf_library, "GRACE_S", 1)
        monkeypatch.setattr(threading.Thread, "join", interrupt_once)
        with pytest.raises(KeyboardInterrupt):
            within_limit(lambda seconds=seconds: threading.Event().wait(seconds), "a.nc", "")
        assert given_up() is left


def test_one_call_at_a_time(fresh: None) -> None:
    inside: list[int] = []
    most: list[int] = []

    def read() -> None:
        inside.append(1)
        most.append(len(inside))
        threading.Event().wait(0.02)
        inside.pop()

    threads = [threading.Thread(target=within_limit, args=(read, "a.nc", "")) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 5


def _raise(error: Exception) -> None:
    raise error
