"""The base of configuration sections: unknown keys are refused, and the nearest one is named."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, model_validator

from airshed.errors import AirshedError

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A part of the configuration; frozen, closed to unknown keys, every number a finite one.

    The string below a key says what it means: in the schema, and in the tables of config/README.md.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )
    RENAMED: ClassVar[Mapping[str, str]] = {}
    """Keys that were here, and what they are called now."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, values: Any) -> Any:
        if isinstance(values, dict):
            known = list(cls.model_fields)
            for key in values:
                if key in cls.RENAMED:
                    raise ValueError(f"'{key}' is now called '{cls.RENAMED[key]}'")
                if key not in known:
                    raise ValueError(unknown_key_message(str(key), known))
        return values

    @model_validator(mode="wrap")
    @classmethod
    def _refuse_booleans_as_numbers(
        cls, values: Any, handler: ModelWrapValidatorHandler[Self]
    ) -> Self:
        made = handler(values)
        for key in values if isinstance(values, dict) else ():
            if _boolean_as_number(values[key], getattr(made, key)):
                raise ValueError(f"'{key}': expected a number, found {values[key]}")
        return made

    def __getattr__(self, name: str) -> Any:
        """Refuse settings that a view (:mod:`airshed.graph.views`) leaves out as undeclared."""
        if name in type(self).model_fields:
            raise AirshedError(
                "a setting is read that this step does not declare",
                where=f"{type(self).__name__}.{name}",
                hint="name the step's product in the Shapes of this setting, in airshed.config",
            )
        return super().__getattr__(name)  # type: ignore[misc]


def _boolean_as_number(given: Any, made: Any) -> bool:
    """Whether a boolean, as YAML reads ``yes``, ``no`` and ``on``, was converted to 0 or 1."""
    if isinstance(given, bool):
        return not isinstance(made, bool)
    if isinstance(given, list) and isinstance(made, (list, tuple)):
        return any(map(_boolean_as_number, given, made))
    if isinstance(given, dict) and isinstance(made, dict):
        return any(_boolean_as_number(given[key], made.get(key)) for key in given)
    return False


def unknown_key_message(key: str, known: Sequence[str], what: str = "key") -> str:
    """The message on an unknown ``key``, with the known one that was probably meant."""
    others = f"; known {what}s: {', '.join(known)}"
    return f"unknown {what} '{key}'{meant(key, known) or others}"


def refuse_repeats(values: Sequence[Any], what: str) -> None:
    """Check that a list has no value twice.

    Raises:
        ValueError: It has.
    """
    if len(set(values)) < len(values):
        raise ValueError(f"{what}: the same value is listed twice: {list(values)}")


def meant(word: str, known: Sequence[str]) -> str:
    """The known word that was probably meant, as the end of a sentence; empty if none is near."""
    nearest = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean '{nearest[0]}'?" if nearest else ""
