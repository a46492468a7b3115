"""``airshed train`` on a cluster where things go wrong, in place of the real one.

Files in the folder named by TROUBLE say what happens to the training of a variant:
``<variant>.slow`` holds the seconds by which each optimiser step is longer, a word for each start
of the training, nothing for those after them; ``<variant>.greedy`` holds the
megabytes that every training takes.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any


def make_trouble(variant: str, folder: Path) -> None:
    """Slow the optimiser down, or take memory once it has done a step."""
    from torch.optim.optimizer import register_optimizer_step_post_hook

    slow, greedy = folder / f"{variant}.slow", folder / f"{variant}.greedy"
    if slow.exists() and (lines := slow.read_text().split()):
        slow.write_text("\n".join(lines[1:]))
        register_optimizer_step_post_hook(lambda *_: time.sleep(float(lines[0])))
    if greedy.exists():
        taken: list[Any] = []

        def take(*_: Any) -> None:
            if not taken:
                taken.append(b"x" * (int(greedy.read_text()) << 20))
                time.sleep(5)  # until the watch over memory has looked

        register_optimizer_step_post_hook(take)


if __name__ == "__main__":
    make_trouble(sys.argv[sys.argv.index("--variant") + 1], Path(os.environ["TROUBLE"]))
    from airshed.cli import main

    main()
