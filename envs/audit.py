"""Compare the pinned set with a clone of PyPA's advisory database, without a network.

``git clone https://github.com/pypa/advisory-database`` where there is one, then
``make audit-offline ADVISORIES=advisory-database``. Exit code 1 if a pinned version is affected.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from packaging.utils import canonicalize_name
from packaging.version import Version

PINS = Path(__file__).parent / "constraints.txt"


def pins() -> dict[str, str]:
    """Versions by normalised name."""
    lines = PINS.read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


def advisories(database: Path, package: str) -> Iterator[Mapping[str, Any]]:
    """What the database holds of a package (OSV), unless it was withdrawn."""
    for path in sorted((database / "vulns" / package).glob("*.yaml")):
        advisory = yaml.safe_load(path.read_text(encoding="utf-8"))
        if "withdrawn" not in advisory:
            yield advisory


def affects(advisory: Mapping[str, Any], version: Version) -> bool:
    """Whether a version is listed, or lies in a range: OSV schema, ``affected``."""
    for part in advisory["affected"]:
        if str(version) in map(str, part.get("versions", [])):
            return True
        for span in part.get("ranges", []):
            if span["type"] == "ECOSYSTEM" and _inside(span["events"], version):
                return True
    return False


def _inside(events: list[Mapping[str, str]], version: Version) -> bool:
    inside = False
    for event in events:
        if "introduced" in event and version >= Version(event["introduced"]):
            inside = True
        if "fixed" in event and version >= Version(event["fixed"]):
            inside = False
        if "last_affected" in event and version > Version(event["last_affected"]):
            inside = False
    return inside


def main() -> None:
    """Name every pinned version that is affected."""
    database = Path(sys.argv[1])
    if not (database / "vulns").is_dir():
        sys.exit(f"{database} has no folder 'vulns': is it a clone of PyPA's advisory database?")
    compared, found = 0, []
    for package, version in pins().items():
        for advisory in advisories(database, package):
            compared += 1
            if affects(advisory, Version(version)):
                found.append(f"{package} {version}: {advisory['id']}")
    sys.stdout.write("\n".join([*found, f"{compared} advisories compared, {len(found)} apply\n"]))
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
