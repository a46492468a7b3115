"""What is used of MLflow's client, kept in memory: the package itself would bring 20 others."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any, ClassVar


class MlflowClient:
    """Experiments and runs by the address of their store."""

    stores: ClassVar[dict[str, dict[str, list[Any]]]] = {}

    def __init__(self, tracking_uri: str) -> None:
        self.experiments = self.stores.setdefault(tracking_uri, {})

    def get_experiment_by_name(self, name: str) -> Any:
        return SimpleNamespace(experiment_id=name) if name in self.experiments else None

    def create_experiment(self, name: str) -> str:
        assert name not in self.experiments
        self.experiments[name] = []
        return name

    def search_experiments(self) -> list[Any]:
        return [SimpleNamespace(experiment_id=name) for name in self.experiments]

    def create_run(self, experiment: str, tags: dict[str, str], run_name: str) -> Any:
        number = f"{experiment}-{len(self.experiments[experiment])}"
        info = SimpleNamespace(run_id=number, run_name=run_name, status="RUNNING")
        data = SimpleNamespace(tags=dict(tags), params={}, metrics=[])
        self.experiments[experiment].append(SimpleNamespace(info=info, data=data))
        return self.experiments[experiment][-1]

    def search_runs(self, experiments: list[str], where: str = "") -> list[Any]:
        runs = [run for name in experiments for run in self.experiments[name]]
        wanted = re.fullmatch(r"tags\.`(.+)` = '(.+)'", where)
        if wanted is None:
            return runs
        return [run for run in runs if run.data.tags.get(wanted[1]) == wanted[2]]

    def _run(self, number: str) -> Any:
        return next(
            run for run in self.search_runs([*self.experiments]) if run.info.run_id == number
        )

    def update_run(self, number: str, status: str) -> None:
        self._run(number).info.status = status

    set_terminated = update_run

    def set_tag(self, number: str, name: str, value: str) -> None:
        self._run(number).data.tags[name] = value

    def log_param(self, number: str, name: str, value: Any) -> None:
        assert self._run(number).data.params.setdefault(name, value) == value

    def log_metric(self, number: str, name: str, value: float, step: int) -> None:
        self._run(number).data.metrics.append((step, name, value))
