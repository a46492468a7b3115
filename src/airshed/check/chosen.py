"""Which training of a study stands for all of them."""

from __future__ import annotations

from airshed.config import Study


def checked_variant(study: Study) -> str:
    """The variant whose training asks for the most: processes, memory, a bias in its attention."""

    def demand(variant: str) -> tuple[int, int, bool]:
        request = study.jobs.request(variant)
        biased = study.variant_stanzas[variant].bias.kind != "none"
        return request.processes, request.mem_mb, biased

    return max(study.variants, key=demand)
