# Scores of every trained run and of the baselines, and their paired comparison.

CLIMATOLOGY = f"{STUDY.splits.train}_h{STUDY.evaluation.climatology_harmonics}"


rule climatology:
    input:
        hourly=rules.ingest.output.hourly,
        static=rules.static_fields.output[0],
    output:
        f"{DATA}/climatology_{CLIMATOLOGY}.nc",
    log:
        f"{DATA}/logs/climatology_{CLIMATOLOGY}.log",
    benchmark:
        f"{DATA}/benchmarks/climatology_{CLIMATOLOGY}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(240),
    params:
        config=CONFIG,
        train=RESOLVED["splits"]["train"],
    shell:
        "airshed climatology --config {params.config:q} --hourly {input.hourly:q}"
        " --static {input.static:q} --output {output:q} 2> {log:q}"


rule wind_roses:
    input:
        hourly=rules.ingest.output.hourly,
        static=rules.static_fields.output[0],
    output:
        f"{RESULTS}/wind_roses.nc",
    log:
        f"{RESULTS}/logs/wind_roses.log",
    benchmark:
        f"{RESULTS}/benchmarks/wind_roses.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(60),
    params:
        config=CONFIG,
        test=RESOLVED["splits"]["test"],
        edges=RESOLVED["evaluation"]["wind_speed_edges_ms"],
    shell:
        "airshed wind-roses --config {params.config:q} --hourly {input.hourly:q}"
        " --static {input.static:q} --output {output:q} 2> {log:q}"


rule evaluate:
    input:
        **PREPARED,
        **OBSERVED,
        climatology=rules.climatology.output[0],
        run=rules.train.output.run,
    output:
        **scored_in(RUN),
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
        slots=slots(1),
        gres=gpus(1),
    params:
        config=CONFIG,
        study=scoring_settings(),
        only="",
    shell:
        "airshed evaluate --run {input.run:q} {params.only}"
        f" {PREPARED_OPTIONS}"
        " --climatology {input.climatology:q} --output {output.scores:q}"
        f" {SUPPLEMENT_OPTIONS} 2> {{log:q}}"


# One horizon alone, on request: nothing else of a study reads it.
use rule evaluate as evaluate_horizon with:
    output:
        **scored_in(f"{RUN}/horizons/{{horizon_h}}h"),
    log:
        f"{RUN}/logs/evaluate_{{horizon_h}}h.log",
    benchmark:
        f"{RUN}/benchmarks/evaluate_{{horizon_h}}h.tsv"
    params:
        config=CONFIG,
        study=scoring_settings(),
        only="--horizon {horizon_h}",


rule baseline:
    input:
        **OBSERVED,
        hourly=rules.ingest.output.hourly,
        static=rules.static_fields.output[0],
        climatology=rules.climatology.output[0],
    output:
        **scored_in(f"{RESULTS}/baselines/{{baseline}}"),
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
        study=scoring_settings(),
    shell:
        "airshed baseline {wildcards.baseline:q} --config {params.config:q}"
        " --hourly {input.hourly:q} --static {input.static:q}"
        " --climatology {input.climatology:q} --output {output.scores:q}"
        f" {SUPPLEMENT_OPTIONS} 2> {{log:q}}"


rule score_tables:
    input:
        runs=expand(rules.evaluate.output.scores, variant=STUDY.variants, seed=STUDY.seeds),
        baselines=expand(rules.baseline.output.scores, baseline=BASELINES) + COMPLETE,
    output:
        by_stratum=f"{RESULTS}/scores_by_stratum.csv",
    log:
        f"{RESULTS}/logs/score_tables.log",
    benchmark:
        f"{RESULTS}/benchmarks/score_tables.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    shell:
        "airshed score-tables --by-stratum {output.by_stratum:q}"
        " {input.runs:q} {input.baselines:q} 2> {log:q}"


rule compare:
    input:
        runs=expand(rules.evaluate.output.scores, variant=STUDY.variants, seed=STUDY.seeds),
        baselines=expand(rules.baseline.output.scores, baseline=BASELINES) + COMPLETE,
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
        references=STUDY.references(),
        init_every_h=STUDY.splits.test.init_every_h,
    shell:
        "airshed compare-study --config {params.config:q} --scores {output.scores:q}"
        " --comparisons {output.comparisons:q} {input.runs:q} {input.baselines:q} 2> {log:q}"
