"""What all configuration sections share: unknown keys are refused and the nearest one is named."""

from __future__ import annotations

import difflib
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Section(BaseModel):
    """A part of the configuration; frozen, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, values: Any) -> Any:
        if isinstance(values, dict):
            known = list(cls.model_fields)
            for key in values:
                if key not in known:
                    raise ValueError(unknown_key_message(str(key), known))
        return values


def unknown_key_message(key: str, known: list[str]) -> str:
    """Say that ``key`` is unknown, and which known key was probably meant."""
    nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    meant = f"did you mean '{nearest[0]}'?" if nearest else f"known keys: {', '.join(known)}"
    return f"unknown key '{key}'; {meant}"
