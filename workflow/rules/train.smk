# One training per variant and seed. Checkpoints are no declared output: they outlive a job that
# dies, and the next attempt continues from them.


rule train:
    input:
        **PREPARED,
        start=start_of,
    output:
        run=f"{RUN}/run.json",
        history=f"{RUN}/history.csv",
    log:
        f"{RUN}/logs/train.log",
    benchmark:
        f"{RUN}/benchmarks/train.tsv"
    conda:
        "../../envs/train.yaml"
    threads: STUDY.train.threads
    resources:
        mem_mb=growing(STUDY.jobs.mem_mb),
        runtime=growing(STUDY.jobs.runtime_min),
    params:
        config=CONFIG,
        study=settings("dataset", "splits", "horizons_h", "normalisation", "model", "train"),
        variant=variant_settings,
        start=lambda wildcards, input: " ".join(f"--start {quote(path)}" for path in input.start),
    shell:
        "airshed train --variant {wildcards.variant:q} --seed {wildcards.seed}"
        f" {PREPARED_OPTIONS}"
        " {params.start} --run {output.run:q} --history {output.history:q} 2> {log:q}"
