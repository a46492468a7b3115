"""Calls into the NetCDF library that do not come to an end."""

from __future__ import annotations

import threading

import pytest

from airshed.data import netcdf_library
from airshed.data.netcdf_library import GivenUpError, given_up, within_limit


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that nobody has used."""
    monkeypatch.setattr(netcdf_library, "LOCK", threading.Lock())
    monkeypatch.setattr(netcdf_library, "_given_up", [])


def test_what_a_call_returns_or_raises_is_handed_on(fresh: None) -> None:
    assert within_limit(lambda: 3, "a.nc", "") == 3
    with pytest.raises(LookupError, match="no such variable"):
        within_limit(lambda: _raise(LookupError("no such variable")), "a.nc", "")
    with pytest.raises(TimeoutError):  # the library's own, not the limit's
        within_limit(lambda: _raise(TimeoutError()), "a.nc", "")
    assert not given_up()


def test_an_endless_call_is_given_up_and_named_from_then_on(
    fresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(netcdf_library, "LIMIT_S", 1)
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
    joined, begun, end = threading.Thread.join, threading.Event(), threading.Event()

    def call() -> None:
        begun.set()
        end.wait()

    for soon in (True, False):

        def interrupt_once(
            thread: threading.Thread, timeout: float | None = None, soon: bool = soon
        ) -> None:
            monkeypatch.setattr(threading.Thread, "join", joined)
            assert begun.wait(60)
            if soon:
                end.set()
            raise KeyboardInterrupt

        begun.clear()
        end.clear()
        monkeypatch.setattr(netcdf_library, "GRACE_S", 60 if soon else 0.1)
        monkeypatch.setattr(threading.Thread, "join", interrupt_once)
        with pytest.raises(KeyboardInterrupt):
            within_limit(call, "a.nc", "")
        assert given_up() is not soon
    end.set()


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
