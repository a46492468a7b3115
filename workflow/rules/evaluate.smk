# Scores of every trained run and of the baselines, and their paired comparison.


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
        settings=settings("wind_roses"),
        work=work("wind_roses"),
    shell:
        f"airshed wind-roses {HANDED}"
        " --hourly {input.hourly:q}"
        " --static {input.static:q} --output {output:q} 2> {log:q}"


rule evaluate:
    input:
        **PREPARED,
        **OBSERVED,
        climatology=rules.climatology.output[0],
        run=rules.train.output.run,
    output:
        **scored_in(RUN),
        **archived_in(RUN),
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
        settings=settings("scores", "variant"),
        work=work("scores", "variant"),
        only="",
        take_over="",
    shell:
        "airshed evaluate --run {input.run:q} {params.only} {params.take_over}"
        f" {PREPARED_OPTIONS}"
        " --climatology {input.climatology:q} --output {output.scores:q}"
        f" {SUPPLEMENT_OPTIONS} 2> {{log:q}}"


# One horizon alone, on request: nothing else of a study reads it.
use rule evaluate as evaluate_horizon with:
    output:
        **scored_in(f"{RUN}/horizons/{{horizon_h}}h"),
        **archived_in(f"{RUN}/horizons/{{horizon_h}}h"),
    log:
        f"{RUN}/logs/evaluate_{{horizon_h}}h.log",
    benchmark:
        f"{RUN}/benchmarks/evaluate_{{horizon_h}}h.tsv"
    params:
        settings=settings("scores", "variant"),
        work=work("scores", "variant"),
        only="--horizon {horizon_h}",
        take_over="",


if GRAPH.scores:

    use rule evaluate as take_over_scores with:
        log:
            f"{RUN}/logs/take_over_scores.log",
        benchmark:
            f"{RUN}/benchmarks/take_over_scores.tsv"
        wildcard_constraints:
            variant=only(GRAPH.scores),
        threads: 1
        resources:
            devices=0,
            mem_mb=500,
            runtime=10,
        params:
            settings=settings("scores", "variant"),
            work=work("scores", "variant"),
            only="",
            take_over=source_of(GRAPH.scores),

    ruleorder: take_over_scores > evaluate

    localrules:
        take_over_scores,


rule baseline:
    input:
        **OBSERVED,
        hourly=rules.ingest.output.hourly,
        static=rules.static_fields.output[0],
        climatology=rules.climatology.output[0],
        damping=rules.damping.output[0],
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
        settings=settings("baseline"),
        work=work("baseline"),
    shell:
        f"airshed baseline {{wildcards.baseline:q}} {HANDED}"
        " --hourly {input.hourly:q} --static {input.static:q}"
        " --climatology {input.climatology:q} --damping {input.damping:q}"
        " --output {output.scores:q}"
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
        by_score=f"{RESULTS}/comparisons_by_score.csv",
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
        settings=settings("comparison"),
        work=work("comparison"),
    shell:
        f"airshed compare-study {HANDED}"
        " --scores {output.scores:q}"
        " --comparisons {output.comparisons:q} --by-score {output.by_score:q}"
        " {input.runs:q} {input.baselines:q} 2> {log:q}"
