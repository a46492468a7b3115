"""The cache of ingested days, beside the hourly store.

Each day has a folder with its shards and a note of what was found in it. They stay after an ingest:
as hard links to the store's own files they take no space. The next ingest with the same settings
and native grid, of any period, reads only days whose raw files have changed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from airshed.data import hourly
from airshed.data.day_notes import DAMAGED, DayNote
from airshed.data.source import DaySource
from airshed.errors import brief
from airshed.integrity.atomic import flush, remove
from airshed.integrity.provenance import sha256

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DayCache:
    """The folder with the days, in which the new store is made too."""

    folder: Path

    @classmethod
    def beside(cls, store: Path) -> DayCache:
        """The cache of an hourly store."""
        return cls(store.with_name(f".{store.name}.days"))

    @property
    def store(self) -> Path:
        """The store that is being made."""
        return self.folder / "store.zarr"

    @property
    def native(self) -> Path:
        """The native grid of every hour."""
        return self.folder / "native.npz"

    @property
    def _key(self) -> Path:
        return self.folder / "key"

    def _note(self, day: date) -> Path:
        return self.folder / f"{day:%Y%m%d}.json"

    def _shards(self, day: date) -> Path:
        return self.folder / f"{day:%Y%m%d}"

    def open(self, key: str) -> None:
        """Use the days of this key, a hash of settings and native grid; remove those of another."""
        if not (self._key.exists() and self._key.read_bytes() == key.encode()):
            if found := len([*self._notes()]):
                log.warning(
                    "%d cached days are of other settings or another native grid: they are removed",
                    found,
                )
            self.clear()
            self.folder.mkdir(parents=True)
            self._key.write_text(key, encoding="ascii")
        remove(self.store)

    def clear(self) -> None:
        """Remove all, the key first: without it, the rest of an interrupted removal is ignored."""
        remove(self._key)
        remove(self.folder)

    def _notes(self) -> Iterator[Path]:
        return self.folder.glob("*.json")

    def is_empty(self) -> bool:
        """Whether no day is cached."""
        return not any(self._notes())

    def note(self, day: date) -> DayNote:
        """What was found in a cached day."""
        return DayNote.read(self._note(day))

    def is_current(self, day: date, key: str, source: DaySource) -> bool:
        """Whether a day is cached undamaged, with this key and from the raw files as they are."""
        path = self._note(day)
        if not path.exists():
            return False
        try:
            note = DayNote.read(path)
        except DAMAGED as error:
            log.warning("%s is damaged (%s): this day is read again", path, brief(error))
            return False
        origin = [key, *source.fingerprint()]
        if note.origin != origin and not _same_content(note, origin, source):
            return False
        if sha256(self._shards(day)) != note.shards:
            log.warning("%s is damaged: this day is read again", self._shards(day))
            return False
        if note.origin != origin:
            note.origin, note.sha256 = origin, source.checksums()
            note.write(path)
        return True

    def add(self, day: date, number: int, note: DayNote) -> None:
        """Move a day from the new store into the cache, and write the note that completes it.

        Files of an earlier version of the day are replaced, not changed: an old store may share
        them.
        """
        shards = self._shards(day)
        remove(shards)
        shards.mkdir()
        for name, shard in hourly.shards(self.store, number):
            if shard.exists():  # a variable without any value has none
                shard.replace(shards / name)
        flush(shards)
        note.shards = sha256(shards)
        note.write(self._note(day))

    def invalidate(self, day: date) -> None:
        """Remove the note of a day, if there is one."""
        remove(self._note(day))

    def fill_store(self, days: Sequence[date]) -> bool:
        """Link the shards of all days into the new store, or move them where links are refused.

        Returns:
            Whether they were linked, so that the cache is still complete.
        """
        linked = self._can_link()
        for number, day in enumerate(days):
            cached = self._shards(day)
            for name, target in hourly.shards(self.store, number):
                if (cached / name).exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    (os.link if linked else os.rename)(cached / name, target)
        return linked

    def _can_link(self) -> bool:
        """Whether hard links can be made here."""
        second = self.store / "second"
        try:
            os.link(self._key, second)
        except OSError as error:
            log.warning(
                "no hard links can be made here (%s): no days are cached, and an ingest after a"
                " change of raw files reads the whole period",
                brief(error),
            )
            return False
        remove(second)
        return True

    def prune(self, days: Sequence[date]) -> None:
        """Remove all other days: without a link in the store they take space."""
        wanted = {f"{day:%Y%m%d}" for day in days}
        for path in [*self.folder.glob("[0-9]*")]:
            if path.stem not in wanted:
                remove(path)


def _same_content(note: DayNote, origin: list[object], source: DaySource) -> bool:
    """Whether raw files were only moved or touched since a day was read from them."""

    def without_place_and_time(entries: list[object]) -> list[object]:
        return [entry[1:-1] if isinstance(entry, list) else entry for entry in entries]

    if without_place_and_time(note.origin) != without_place_and_time(origin):
        return False
    found = [*source.checksums().values()]
    return bool(found) and found == [*note.sha256.values()]
