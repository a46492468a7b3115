"""Reading a YAML file into plain values, without repeated keys and alias bombs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

from airshed.errors import AirshedError

MOST_VALUES = 100_000  # with every alias written out; a study of all variants has fewer than 1,000
DEEPEST = 100  # levels of nesting
# libyaml's, where PyYAML was built with it: five times as fast, which every command begins with
FastLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(path: Path, may_be_empty: bool = False) -> dict[str, Any]:
    """The mapping in one YAML file.

    Args:
        path: The file.
        may_be_empty: Whether a file without any key is an empty mapping.

    Raises:
        AirshedError: The file is missing, is not YAML, holds no mapping or a key twice, or its
            aliases stand for too much.
    """
    try:
        content = _content(Path(path).read_text(encoding="utf-8"), path)
    except OSError as error:
        raise AirshedError(
            "a configuration file cannot be read",
            where=path,
            found=error.strerror,
            hint=None
            if Path(path).is_absolute()
            else f"paths count from {Path.cwd()}: run the command in the folder of the Snakefile",
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise AirshedError(
            "a configuration file is not valid YAML",
            where=path,
            expected="keys and values, indented by blanks",
            found=" ".join(str(error).split()),
        ) from error
    if content is None and may_be_empty:
        return {}
    if not isinstance(content, dict):
        raise AirshedError(
            "a configuration file must hold keys and values",
            where=path,
            found=type(content).__name__,
        )
    return content


def _content(text: str, path: Path) -> Any:
    node = _composed(text)
    if node is None:
        return None
    for number, part in enumerate(_written_out(node), start=1):
        _refuse_repeated_keys(part, path)
        if number > MOST_VALUES:
            raise AirshedError(
                "the aliases of a configuration file stand for too much",
                where=path,
                expected=f"at most {MOST_VALUES:,} values with every alias written out",
                found="more",
                hint="write the values out instead of nesting aliases",
            )
    return SafeConstructor().construct_document(node)


def _composed(text: str) -> yaml.Node | None:
    """By libyaml; of what it refuses PyYAML's own parser says more exactly what was found."""
    try:
        _refuse_deep_nesting(text)
        return yaml.compose(text, FastLoader)
    except yaml.YAMLError:
        return yaml.compose(text, yaml.SafeLoader)


def _refuse_deep_nesting(text: str) -> None:
    """Before nodes are composed, for which libyaml calls itself at every level, without a limit."""
    depth = 0
    for event in yaml.parse(text, FastLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise ValueError(f"nested more than {DEEPEST} levels deep {event.start_mark}")


def _written_out(node: yaml.Node, around: tuple[yaml.Node, ...] = ()) -> Iterator[yaml.Node]:
    """A node and all nodes inside it, with aliases replaced by their targets."""
    if any(node is other for other in around):
        raise yaml.YAMLError(f"an alias stands for itself, {_place(node)}")
    yield node
    for part in () if isinstance(node, yaml.ScalarNode) else node.value:
        for inner in part if isinstance(part, tuple) else (part,):
            yield from _written_out(inner, (*around, node))


def _refuse_repeated_keys(node: yaml.Node, path: Path) -> None:
    """Refuse repeated keys, of which YAML silently takes the last."""
    seen: dict[str, yaml.Node] = {}
    for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
        if not isinstance(key, yaml.ScalarNode):
            continue
        if key.value in seen:
            raise AirshedError(
                "a key of a configuration file is given twice",
                where=f"{path}, {_place(key)}",
                expected=f"'{key.value}' once; it is also in {_place(seen[key.value])}",
                found=key.value,
                hint="remove one of the two, or merge both sections",
            )
        seen[key.value] = key


def _place(node: yaml.Node) -> str:
    return f"line {node.start_mark.line + 1}"
