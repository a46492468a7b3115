"""The typed definition of a study: defaults, validation and JSON schema come from here alone."""

from __future__ import annotations

from airshed.config.load import dump_study, load_dataset, load_study, validate_study
from airshed.config.study import Study, json_schema
from airshed.config.yaml_file import read_yaml

__all__ = [
    "Study",
    "dump_study",
    "json_schema",
    "load_dataset",
    "load_study",
    "read_yaml",
    "validate_study",
]
