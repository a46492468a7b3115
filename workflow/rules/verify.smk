# What is checked beyond the scores: what every variant costs, and whether it uses its bias.


rule cost:
    input:
        **PREPARED,
    output:
        f"{RESULTS}/cost.json",
    log:
        f"{RESULTS}/logs/cost.log",
    benchmark:
        f"{RESULTS}/benchmarks/cost.tsv"
    conda:
        "../../envs/train.yaml"
    threads: STUDY.train.threads
    resources:
        mem_mb=growing(STUDY.jobs.mem_mb),
        runtime=growing(STUDY.jobs.runtime_min),
    params:
        config=CONFIG,
        study=settings("dataset", "splits", "horizons_h", "model", "train", "variants", "seeds"),
        variants=stanzas_of_study(),
    shell:
        f"airshed bench step {PREPARED_OPTIONS}" " --output {output:q} > {log:q} 2>&1"


rule interpret:
    input:
        **PREPARED,
        run=rules.train.output.run,
        history=rules.train.output.history,
    output:
        f"{RUN}/interpretation.json",
    log:
        f"{RUN}/logs/interpret.log",
    benchmark:
        f"{RUN}/benchmarks/interpret.tsv"
    conda:
        "../../envs/train.yaml"
    threads: STUDY.train.threads
    resources:
        mem_mb=growing(STUDY.jobs.mem_mb),
        runtime=growing(STUDY.jobs.runtime_min),
    params:
        config=CONFIG,
        study=settings("splits", "horizons_h", "interpretation"),
    shell:
        "airshed interpret --run {input.run:q}"
        f" {PREPARED_OPTIONS}"
        " --output {output:q} 2> {log:q}"


BIASED = [name for name in STUDY.variants if STUDY.variant_stanzas[name].bias.kind != "none"]
INTERPRETATIONS = expand(rules.interpret.output, variant=BIASED, seed=STUDY.seeds)
