"""Trainings and scores that other studies have finished, found before anything is run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

from airshed.config import Study
from airshed.data.prepared import Prepared
from airshed.graph.identity import scores_identity, training_identity
from airshed.graph.notes import Note
from airshed.integrity.formats import read_or_nothing
from airshed.integrity.provenance import sha256

Pair = tuple[str, int]
"""A variant and a seed."""


class Sharing:
    """What a study can take over.

    Args:
        study: The study.
        prepared: Prepared data of each variant, complete and current.
        climatology: Its climatology.
        results: Its folder.
        observations: Its observations at stations, if it has stations.
    """

    def __init__(
        self,
        study: Study,
        prepared: Mapping[str, Prepared],
        climatology: Path,
        results: Path,
        observations: Path | None,
    ) -> None:
        self._study, self._prepared, self._results = study, prepared, results
        self._climatology, self._observations = climatology, observations
        self._record = cache(read_or_nothing)
        self._source = cache(self._find)

    def trainings(self) -> dict[Pair, Path]:
        """``run.json`` of each missing training that another study has finished."""
        return {
            pair: source
            for pair in self._pairs()
            if not self._own(pair, "run.json").exists() and (source := self._source(pair))
        }

    def scores(self) -> dict[Pair, Path]:
        """``scores.nc`` of each run without scores that another study has scored alike.

        A study that archives its forecasts takes none over, since forecasts are not copied.
        """
        if self._study.evaluation.save_forecasts or not self._climatology.is_file():
            return {}
        found = {}
        for pair in self._pairs():
            there = self._own(pair, "scores.nc").exists()
            source = None if there else self._source(pair)
            if source is None:
                continue
            scores = source.with_name("scores.nc")
            note = Note.beside(scores) if scores.is_file() else None
            weights = self._weights(pair)
            if (
                note is not None
                and weights is not None
                and note.identity == self._scored(pair, weights)
            ):
                found[pair] = scores
        return found

    def _scored(self, pair: Pair, weights: str) -> str:
        prepared = self._prepared[pair[0]]
        return scores_identity(
            self._study, weights, prepared, self._climatology, self._observations
        )

    def _pairs(self) -> Iterator[Pair]:
        for variant in self._study.variants:
            for seed in self._study.seeds:
                yield variant, seed

    def _own(self, pair: Pair, name: str) -> Path:
        return self._results / "variants" / pair[0] / f"seed{pair[1]}" / name

    def _find(self, pair: Pair) -> Path | None:
        """``run.json`` of the same training in another study."""
        others = [path for path in self._elsewhere(pair) if self._record(path).get("identity")]
        if not others:
            return None
        stanza = self._study.variant_stanzas[pair[0]]
        weights = None
        if stanza.start_from is not None:
            weights = self._weights((stanza.start_from, pair[1]))
            if weights is None:
                return None
        elif stanza.pretrained is not None:
            checkpoint = Path(stanza.pretrained.checkpoint)
            if not checkpoint.is_file():
                return None
            weights = _sum(checkpoint)
        prepared = self._prepared[pair[0]]
        wanted = training_identity(self._study, *pair, prepared, weights, _sum)
        return next((path for path in others if self._record(path)["identity"] == wanted), None)

    def _elsewhere(self, pair: Pair) -> list[Path]:
        pattern = f"*/variants/{pair[0]}/seed{pair[1]}/run.json"
        return [
            path
            for path in sorted(self._results.parent.glob(pattern))
            if path.parents[3] != self._results
        ]

    def _weights(self, pair: Pair) -> str | None:
        """Checksum of the weights of a run of this study, finished or to be taken over."""
        own = self._own(pair, "run.json")
        source = own if own.exists() else self._source(pair)
        return None if source is None else self._record(source).get("checkpoint", {}).get("sha256")


_sum: Callable[[Path], str] = cache(sha256)
