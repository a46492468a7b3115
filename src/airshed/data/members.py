"""Members of an archive, streamed without unpacking; unsafe and damaged ones are refused."""

from __future__ import annotations

import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Self

from airshed.errors import AirshedError, refusing

MAX_MEMBERS = 10_000  # a day has 24 hours
MAX_MEMBER_BYTES = 2**30  # an hour of the full grid takes 8 MB; more is a bomb
MAX_ARCHIVE_BYTES = 2**33
MAX_HEADER_BYTES = 2**20  # of a long name or of further attributes
BLOCK_BYTES = 2**20
UNPACK = "unpack it, and set dataset.path to the folder"
EXTENSIONS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
READ_ERRORS = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    LookupError,
    OSError,
    OverflowError,
    RuntimeError,  # an encrypted member of a zip, or (NotImplementedError) an unknown compression
    ValueError,
)
"""What the libraries raise for files that are no archives, or damaged ones."""


def read_members(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Name and content of each wanted member of a zip or tar archive, in their order.

    All members are checked, and a compressed archive is read to its end, where its checksum is.

    Raises:
        AirshedError: The archive is damaged, unsafe or too large.
    """
    with _refusing(path):
        yield from (_of_zip if path.suffix == ".zip" else _of_tar)(path, wanted)


def zip_names(path: Path) -> list[str]:
    """Names of the files in a zip that may be read without unpacking it.

    Raises:
        AirshedError: The zip is damaged, unsafe or too large.
    """
    with _refusing(path), zipfile.ZipFile(path) as archive:
        limits = _Limits(path, "to be read as it is", "to be read as it is", UNPACK)
        return [member.filename for member in _admitted(archive, limits)]


def read_zip_member(path: Path, name: str) -> bytes:
    """The content of a file in a zip whose names were checked.

    Raises:
        AirshedError: It is damaged.
    """
    with _refusing(path), zipfile.ZipFile(path) as archive:
        return archive.read(name)


def _refusing(path: Path) -> AbstractContextManager[None]:
    return refusing(
        *READ_ERRORS,
        what="an archive is damaged or cannot be read",
        where=path,
        expected="a complete archive of NetCDF files, without a password",
        hint="fetch the archive again, or remove it to treat its hours as missing",
        found=lambda error: f"{type(error).__name__}: {error}",
    )


def _of_tar(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    limits = _Limits(path)
    with tarfile.open(path, "r:*", tarinfo=_Header) as archive:
        for member in archive:
            plain = (member.isfile() and not member.issparse()) or member.isdir()
            limits.admit(member.name, member.size, plain)
            if member.isdir() or not wanted(member.name):
                continue
            if stream := archive.extractfile(member):
                yield member.name, stream.read()
        if archive.fileobj is not None:
            limits.read_to_end(archive.fileobj)


def _of_zip(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    limits = _Limits(path)
    with zipfile.ZipFile(path) as archive:
        for member in _admitted(archive, limits):
            if wanted(member.filename):
                yield member.filename, archive.read(member)


def _admitted(archive: zipfile.ZipFile, limits: _Limits) -> Iterator[zipfile.ZipInfo]:
    """The files of a zip; unsafe or too large ones are refused."""
    for member in archive.infolist():
        kind = stat.S_IFMT(member.external_attr >> 16)
        limits.admit(member.filename, member.file_size, kind in (0, stat.S_IFREG, stat.S_IFDIR))
        if not member.is_dir():
            yield member


class _Header(tarfile.TarInfo):
    """A header that must be whole: tarfile takes a damaged one for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            member = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                raise  # the mark at the end, which a whole archive has
            raise tarfile.ReadError(f"{error}; the archive's end is not there") from error
        if member.size < 0 or (member.type in EXTENSIONS and member.size > MAX_HEADER_BYTES):
            raise tarfile.ReadError(f"a header of {member.size} bytes")
        return member


@dataclass
class _Limits:
    """Counts of one archive's members and bytes, and their limits.

    Attributes:
        path: The archive.
        for_member: Purpose for which a member is too large, in messages.
        for_all: Purpose for which the archive is too large, in messages.
        hint: What to do then.
    """

    path: Path
    for_member: str = "for an hourly file"
    for_all: str = "for a day"
    hint: str = "do not use this archive; fetch it again from where it was published"
    members: int = 0
    size_bytes: int = 0

    def admit(self, name: str, size_bytes: int, plain: bool) -> None:
        """Refuse a member that is unsafe or one too many.

        Args:
            name: As the archive gives it.
            size_bytes: Unpacked.
            plain: Whether it is a file or a folder, and no link or device.
        """
        posix, windows = PurePosixPath(name.replace("\\", "/")), PureWindowsPath(name)
        outside = posix.is_absolute() or windows.drive or windows.root or ".." in posix.parts
        if outside or not plain:
            raise AirshedError(
                "an archive holds an unsafe member",
                where=self.path,
                expected="plain files with relative names",
                found=name,
                hint="do not use this archive; fetch it again from where it was published",
            )
        self.members += 1
        if self.members > MAX_MEMBERS:
            raise self._too_large("has too many members", self.path, f"{MAX_MEMBERS:,} members")
        if not 0 <= size_bytes <= MAX_MEMBER_BYTES:
            what = f"holds a member that is too large {self.for_member}"
            where = f"{self.path}:{name}"
            raise self._too_large(what, where, f"{MAX_MEMBER_BYTES:,} bytes", size_bytes)
        self._count(size_bytes)

    def read_to_end(self, stream: Any) -> None:
        """Read what follows the last member, so that a checksum at the end is compared."""
        while block := stream.read(BLOCK_BYTES):
            self._count(len(block))

    def _count(self, size_bytes: int) -> None:
        self.size_bytes += size_bytes
        if self.size_bytes > MAX_ARCHIVE_BYTES:
            most = f"{MAX_ARCHIVE_BYTES:,} bytes"
            raise self._too_large(f"is too large {self.for_all}", self.path, most, self.size_bytes)

    def _too_large(
        self, what: str, where: object, most: str, size_bytes: int | None = None
    ) -> AirshedError:
        return AirshedError(
            f"an archive {what}",
            where=where,
            expected=f"at most {most}",
            found="more" if size_bytes is None else f"{size_bytes:,} bytes",
            hint=self.hint,
        )
