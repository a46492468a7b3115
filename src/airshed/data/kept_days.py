"""Days that were ingested, kept beside the hourly store.

Of each there is a folder with its shards and a note of what was found in it. A finished ingest
leaves them: they are second names (hard links) of the store's own files and take no room. The next
ingest of the same settings and native grid, of whatever period, reads only days whose raw files are
others.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from airshed.data import hourly
from airshed.data.day_notes import NO_NOTE, DayNote
from airshed.data.source import DaySource
from airshed.errors import brief
from airshed.integrity.atomic import flush, remove
from airshed.integrity.provenance import sha256

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KeptDays:
    """The folder with the days, in which the store is made."""

    folder: Path

    @classmethod
    def beside(cls, store: Path) -> KeptDays:
        """Those of an hourly store."""
        return cls(store.with_name(f".{store.name}.days"))

    @property
    def store(self) -> Path:
        """The store that is being made."""
        return self.folder / "store.zarr"

    @property
    def native(self) -> Path:
        """The native grid, which every hour must have."""
        return self.folder / "native.npz"

    @property
    def _key(self) -> Path:
        return self.folder / "key"

    def _note(self, day: date) -> Path:
        return self.folder / f"{day:%Y%m%d}.json"

    def _shards(self, day: date) -> Path:
        return self.folder / f"{day:%Y%m%d}"

    def begin(self, key: str) -> None:
        """Keep the days of this key, which stands for settings and native grid; discard others."""
        if not (self._key.exists() and self._key.read_bytes() == key.encode()):
            if found := len([*self._notes()]):
                log.warning(
                    "%d days that were ingested are of other settings or another native grid:"
                    " they are discarded",
                    found,
                )
            self.discard()
            self.folder.mkdir(parents=True)
            self._key.write_text(key, encoding="ascii")
        remove(self.store)

    def discard(self) -> None:
        """Remove all, the key first: what a killed process leaves does not count."""
        remove(self._key)
        remove(self.folder)

    def _notes(self) -> Iterator[Path]:
        return self.folder.glob("*.json")

    def any(self) -> bool:
        """Whether a day is there."""
        return any(self._notes())

    def note(self, day: date) -> DayNote:
        """What was found in a day that is there."""
        return DayNote.read(self._note(day))

    def holds(self, day: date, key: str, source: DaySource) -> bool:
        """Whether a day is there and whole, of this key and of the raw files as they are now."""
        path = self._note(day)
        if not path.exists():
            return False
        try:
            note = DayNote.read(path)
        except NO_NOTE as error:
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

    def keep(self, day: date, number: int, note: DayNote) -> None:
        """Take a day that was written out of the store, and note that it is complete.

        Its files are new ones: what the days of before are called elsewhere too stays as it is.
        """
        shards = self._shards(day)
        remove(shards)
        shards.mkdir()
        for name, shard in hourly.shards(self.store, number):
            if shard.exists():  # there is none where every value is missing
                shard.replace(shards / name)
        flush(shards)
        note.shards = sha256(shards)
        note.write(self._note(day))

    def forget(self, day: date) -> None:
        """Remove the note of a day, which is of other files if there is one."""
        remove(self._note(day))

    def assemble(self, days: Sequence[date]) -> bool:
        """Name the shards of all days in the store; whether they keep their names here too."""
        linked = self._can_link()
        for number, day in enumerate(days):
            there = self._shards(day)
            for name, target in hourly.shards(self.store, number):
                if (there / name).exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    (os.link if linked else os.rename)(there / name, target)
        return linked

    def _can_link(self) -> bool:
        """Whether a file can have a second name here, in another folder."""
        second = self.store / "second"
        try:
            os.link(self._key, second)
        except OSError as error:
            log.warning(
                "no hard links can be made here (%s): no days are kept, and an ingest after a"
                " change of raw files reads the whole period",
                brief(error),
            )
            return False
        remove(second)
        return True

    def keep_only(self, days: Sequence[date]) -> None:
        """Remove days that the store does not have: they would take room of their own."""
        wanted = {f"{day:%Y%m%d}" for day in days}
        for path in [*self.folder.glob("[0-9]*")]:
            if path.stem not in wanted:
                remove(path)


def _same_content(note: DayNote, origin: list[object], source: DaySource) -> bool:
    """Whether raw files that were moved or touched are those that a day was read from."""

    def without_place_and_time(entries: list[object]) -> list[object]:
        return [entry[1:-1] if isinstance(entry, list) else entry for entry in entries]

    if without_place_and_time(note.origin) != without_place_and_time(origin):
        return False
    found = [*source.checksums().values()]
    return bool(found) and found == [*note.sha256.values()]
