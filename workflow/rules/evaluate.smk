# Scores of every trained run and of the baselines, and their paired comparison.


rule evaluate:
    input:
        **PREPARED,
        run=rules.train.output.run,
    output:
        f"{RUN}/scores.nc",
    log:
        f"{RUN}/logs/evaluate.log",
    benchmark:
        f"{RUN}/benchmarks/evaluate.tsv"
    conda:
        "../../envs/train.yaml"
    threads: STUDY.train.threads
    resources:
        devices=1,
        mem_mb=memory(requested("mem_mb")),
        runtime=minutes(requested("runtime_min")),
        gres=gpus(1),
    params:
        config=CONFIG,
        study=settings("splits", "horizons_h", "evaluation"),
    shell:
        "airshed evaluate --run {input.run:q}"
        f" {PREPARED_OPTIONS}"
        " --output {output:q} 2> {log:q}"


rule baseline:
    input:
        hourly=rules.ingest.output.hourly,
        static=rules.static_fields.output[0],
    output:
        f"{RESULTS}/baselines/{{baseline}}/scores.nc",
    log:
        f"{RESULTS}/baselines/{{baseline}}/logs/baseline.log",
    benchmark:
        f"{RESULTS}/baselines/{{baseline}}/benchmarks/baseline.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(120),
    params:
        config=CONFIG,
        study=settings("splits", "horizons_h", "evaluation"),
    shell:
        "airshed baseline {wildcards.baseline:q} --config {params.config:q}"
        " --hourly {input.hourly:q} --static {input.static:q}"
        " --output {output:q} 2> {log:q}"


rule compare:
    input:
        runs=expand(rules.evaluate.output, variant=STUDY.variants, seed=STUDY.seeds),
        baselines=expand(rules.baseline.output, baseline=BASELINES),
    output:
        scores=f"{RESULTS}/scores.csv",
        comparisons=f"{RESULTS}/comparisons.csv",
    log:
        f"{RESULTS}/logs/compare.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(60),
    params:
        config=CONFIG,
        study=settings("study", "variants", "seeds", "comparison"),
        stanzas=compared_settings(),
        init_every_h=STUDY.splits.test.init_every_h,
    shell:
        "airshed compare --config {params.config:q} --scores {output.scores:q}"
        " --comparisons {output.comparisons:q} {input.runs:q} {input.baselines:q} 2> {log:q}"
