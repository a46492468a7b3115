# What is checked beyond the scores: what every variant costs, whether it uses its bias, and how it
# stands against stations and other people's forecasts.


rule measure_cost:
    input:
        **PREPARED,
    output:
        f"{RESULTS}/variants/{{variant}}/cost.json",
    log:
        f"{RESULTS}/variants/{{variant}}/logs/cost.log",
    benchmark:
        f"{RESULTS}/variants/{{variant}}/benchmarks/cost.tsv"
    conda:
        "../../envs/train.yaml"
    threads: STUDY.train.threads
    resources:
        devices=1,
        mem_mb=memory(STUDY.jobs.mem_mb),
        runtime=minutes(STUDY.jobs.runtime_min),
        slots=slots(1),
        gres=gpus(1),
    params:
        settings=settings("cost", "variant"),
        work=work("cost", "variant"),
    shell:
        f"airshed bench variant {{wildcards.variant:q}} {PREPARED_OPTIONS}"
        " --output {output:q} > {log:q} 2>&1"


rule cost:
    input:
        expand(rules.measure_cost.output, variant=STUDY.variants),
    output:
        f"{RESULTS}/cost.json",
    log:
        f"{RESULTS}/logs/cost.log",
    benchmark:
        f"{RESULTS}/benchmarks/cost.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        settings=settings("cost_table"),
        work=work("cost_table"),
    shell:
        f"airshed bench table {HANDED}" " --output {output:q} {input:q} > {log:q} 2>&1"


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
        devices=1,
        mem_mb=memory(STUDY.jobs.mem_mb),
        runtime=minutes(STUDY.jobs.runtime_min),
        slots=slots(1),
        gres=gpus(1),
    params:
        settings=settings("interpretation", "variant"),
        work=work("interpretation", "variant"),
    shell:
        "airshed interpret --run {input.run:q}"
        f" {PREPARED_OPTIONS}"
        " --output {output:q} 2> {log:q}"


# One job for each run and all its interventions. The scores are no declared output: they outlive a job
# that dies, and the next one makes those that are not there.
rule intervene:
    input:
        **PREPARED,
        climatology=rules.climatology.output[0],
        run=rules.train.output.run,
    output:
        f"{RUN}/interventions.json",
    log:
        f"{RUN}/logs/intervene.log",
    benchmark:
        f"{RUN}/benchmarks/intervene.tsv"
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
        settings=settings("interventions", "variant"),
        work=work("interventions", "variant"),
    shell:
        "airshed intervene --run {input.run:q}"
        f" {PREPARED_OPTIONS}"
        " --climatology {input.climatology:q} --output {output:q} 2> {log:q}"


# All seeds of a variant, in one pass over the test split.
rule ensemble:
    input:
        **PREPARED,
        runs=expand(rules.train.output.run, seed=STUDY.seeds, allow_missing=True),
    output:
        f"{RESULTS}/variants/{{variant}}/ensemble.csv",
    log:
        f"{RESULTS}/variants/{{variant}}/logs/ensemble.log",
    benchmark:
        f"{RESULTS}/variants/{{variant}}/benchmarks/ensemble.tsv"
    conda:
        "../../envs/train.yaml"
    threads: STUDY.train.threads
    resources:
        devices=1,
        mem_mb=memory(STUDY.jobs.mem_mb),
        runtime=minutes(STUDY.jobs.runtime_min),
        slots=slots(1),
        gres=gpus(1),
    params:
        settings=settings("ensemble", "variant"),
        work=work("ensemble", "variant"),
    shell:
        f"airshed ensemble {PREPARED_OPTIONS}" " --output {output:q} {input.runs:q} 2> {log:q}"


INTERVENED = [name for name in STUDY.variants if STUDY.interventions_on(name)]
BIASED = [name for name in STUDY.variants if STUDY.variant_stanzas[name].bias.kind != "none"]
INTERPRETATIONS = expand(rules.interpret.output, variant=BIASED, seed=STUDY.seeds)


rule external:
    input:
        **OBSERVED,
        hourly=rules.ingest.output.hourly,
        static=rules.static_fields.output[0],
        climatology=rules.climatology.output[0],
    output:
        **scored_in(f"{RESULTS}/external/{{external}}"),
    log:
        f"{RESULTS}/external/{{external}}/logs/external.log",
    benchmark:
        f"{RESULTS}/external/{{external}}/benchmarks/external.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=minutes(120),
    params:
        settings=settings("external", "external"),
        files=files("external", "external"),
        work=work("external", "external"),
    shell:
        f"airshed external {{wildcards.external:q}} {HANDED}"
        " --hourly {input.hourly:q} --static {input.static:q}"
        " --climatology {input.climatology:q} --output {output.scores:q}"
        f" {SUPPLEMENT_OPTIONS} 2> {{log:q}}"


SUPPLEMENT = []

if STUDY.evaluation.ensemble:
    SUPPLEMENT += expand(rules.ensemble.output, variant=STUDY.variants)

if INTERVENED:

    rule interventions_table:
        input:
            interventions=expand(rules.intervene.output, variant=INTERVENED, seed=STUDY.seeds),
            scores=expand(rules.evaluate.output.scores, variant=INTERVENED, seed=STUDY.seeds),
        output:
            f"{RESULTS}/interventions.csv",
        log:
            f"{RESULTS}/logs/interventions_table.log",
        benchmark:
            f"{RESULTS}/benchmarks/interventions_table.tsv"
        conda:
            "../../envs/report.yaml"
        threads: 1
        resources:
            mem_mb=memory(2000),
            runtime=minutes(60),
        params:
            settings=settings("interventions_table"),
            work=work("interventions_table"),
        shell:
            f"airshed interventions-table {HANDED}"
            " --output {output:q} {input.interventions:q} 2> {log:q}"

    SUPPLEMENT += rules.interventions_table.output


if STUDY.external:

    rule external_table:
        input:
            runs=rules.compare.input.runs,
            baselines=expand(rules.baseline.output.scores, baseline=BASELINES),
            externals=expand(rules.external.output.scores, external=STUDY.external),
        output:
            f"{RESULTS}/external.csv",
        log:
            f"{RESULTS}/logs/external_table.log",
        benchmark:
            f"{RESULTS}/benchmarks/external_table.tsv"
        conda:
            "../../envs/report.yaml"
        threads: 1
        resources:
            mem_mb=memory(2000),
            runtime=minutes(30),
        shell:
            "airshed external-table --output {output:q} {input.runs:q} {input.baselines:q}"
            " {input.externals:q} 2> {log:q}"

    SUPPLEMENT += rules.external_table.output


if STUDY.stations is not None:

    rule stations:
        input:
            static=rules.static_fields.output[0],
        output:
            observations=OBSERVATIONS,
            report=f"{RESULTS}/stations/quality.json",
        log:
            f"{RESULTS}/logs/stations.log",
        benchmark:
            f"{RESULTS}/benchmarks/stations.tsv"
        conda:
            "../../envs/data.yaml"
        threads: 1
        resources:
            mem_mb=memory(4000),
            runtime=minutes(120),
        params:
            settings=settings("observations"),
            files=files("observations"),
            work=work("observations"),
            tables=uncompared(files_of(STUDY.stations.tables)),
        shell:
            f"airshed stations {HANDED}"
            " --static {input.static:q}"
            " --output {output.observations:q} --report {output.report:q} {params.tables:q}"
            " 2> {log:q}"

    rule stations_summary:
        input:
            runs=expand(rules.evaluate.output.supplement, variant=STUDY.variants, seed=STUDY.seeds),
            baselines=expand(rules.baseline.output.supplement, baseline=BASELINES),
            externals=expand(rules.external.output.supplement, external=STUDY.external),
        output:
            f"{RESULTS}/stations.csv",
        log:
            f"{RESULTS}/logs/stations_summary.log",
        benchmark:
            f"{RESULTS}/benchmarks/stations_summary.tsv"
        conda:
            "../../envs/report.yaml"
        threads: 1
        resources:
            mem_mb=memory(2000),
            runtime=minutes(30),
        shell:
            "airshed stations-summary --output {output:q} {input.runs:q} {input.baselines:q}"
            " {input.externals:q} 2> {log:q}"

    SUPPLEMENT += [rules.stations_summary.output[0], rules.stations.output.report]


if STUDY.episodes:

    rule episodes_table:
        input:
            runs=expand(rules.evaluate.output.supplement, variant=STUDY.variants, seed=STUDY.seeds),
            baselines=expand(rules.baseline.output.supplement, baseline=BASELINES),
            externals=expand(rules.external.output.supplement, external=STUDY.external),
        output:
            f"{RESULTS}/episodes.csv",
        log:
            f"{RESULTS}/logs/episodes_table.log",
        benchmark:
            f"{RESULTS}/benchmarks/episodes_table.tsv"
        conda:
            "../../envs/report.yaml"
        threads: 1
        resources:
            mem_mb=memory(2000),
            runtime=minutes(30),
        shell:
            "airshed episodes-table --output {output:q} {input.runs:q} {input.baselines:q}"
            " {input.externals:q} 2> {log:q}"

    SUPPLEMENT += rules.episodes_table.output
