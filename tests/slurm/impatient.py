"""``snakemake`` that asks SLURM every second how its jobs are.

The executor waits ten seconds longer each time that no job has ended, up to three minutes.
"""

from __future__ import annotations

from snakemake.cli import main
from snakemake_executor_plugin_slurm import Executor

if __name__ == "__main__":
    Executor.next_seconds_between_status_checks = property(lambda _: 1, lambda *_: None)
    main()
