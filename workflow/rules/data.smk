# From raw archives to what training reads: results/data/<dataset>/ is shared by studies.


rule simulate:
    output:
        directory(f"{DATASET}/raw"),
    log:
        f"{DATASET}/logs/simulate.log",
    benchmark:
        f"{DATASET}/benchmarks/simulate.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(60),
    params:
        config=CONFIG,
        dataset=settings("dataset"),
    shell:
        "airshed simulate --config {params.config:q} --output {output:q} 2> {log:q}"


rule ingest:
    input:
        raw=RAW,
    output:
        hourly=directory(f"{DATA}/hourly.zarr"),
        report=f"{DATA}/ingest.json",
        quality=f"{DATA}/quality.csv",
    log:
        f"{DATA}/logs/ingest.log",
    benchmark:
        f"{DATA}/benchmarks/ingest.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 2
    resources:
        mem_mb=memory(4000),
        runtime=minutes(720),
    params:
        config=CONFIG,
        dataset=INGEST_SETTINGS,
    shell:
        "airshed ingest --config {params.config:q} --raw {input.raw:q} --hourly {output.hourly:q}"
        " --report {output.report:q} --quality {output.quality:q} --workers {threads} 2> {log:q}"


rule static_fields:
    input:
        raw=RAW,
        hourly=rules.ingest.output.hourly,
    output:
        f"{DATA}/static.nc",
    log:
        f"{DATA}/logs/static_fields.log",
    benchmark:
        f"{DATA}/benchmarks/static_fields.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    params:
        config=CONFIG,
        dataset=settings("dataset"),
    shell:
        "airshed static-fields --config {params.config:q} --raw {input.raw:q}"
        " --hourly {input.hourly:q} --output {output:q} 2> {log:q}"


rule patch_elevation:
    input:
        static=rules.static_fields.output[0],
    output:
        f"{DATA}/patch_elevation_p{STUDY.model.patch}.nc",
    log:
        f"{DATA}/logs/patch_elevation_p{STUDY.model.patch}.log",
    benchmark:
        f"{DATA}/benchmarks/patch_elevation_p{STUDY.model.patch}.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        config=CONFIG,
        patch=STUDY.model.patch,
    shell:
        "airshed patch-elevation --config {params.config:q} --static {input.static:q}"
        " --output {output:q} 2> {log:q}"


rule statistics:
    input:
        hourly=rules.ingest.output.hourly,
        static=rules.static_fields.output[0],
    output:
        f"{DATA}/statistics_{STUDY.splits.train}.nc",
    log:
        f"{DATA}/logs/statistics_{STUDY.splits.train}.log",
    benchmark:
        f"{DATA}/benchmarks/statistics_{STUDY.splits.train}.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 2
    resources:
        mem_mb=memory(2000),
        runtime=minutes(120),
    params:
        config=CONFIG,
        train=RESOLVED["splits"]["train"],
        normalisation=settings("normalisation"),
    shell:
        "airshed statistics --config {params.config:q} --hourly {input.hourly:q}"
        " --static {input.static:q} --workers {threads} --output {output:q} 2> {log:q}"


# What the tables depend on.
SCAN = f"p{STUDY.model.patch}_r{STUDY.model.regions}_s{STUDY.model.sectors}"


rule scan_tables:
    output:
        f"{DATA}/scan_tables_{SCAN}.nc",
    log:
        f"{DATA}/logs/scan_tables_{SCAN}.log",
    benchmark:
        f"{DATA}/benchmarks/scan_tables_{SCAN}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        config=CONFIG,
        model=settings("model"),
    shell:
        "airshed scan-tables --config {params.config:q} --output {output:q} 2> {log:q}"


# What training and evaluation read, by the names of their options.
PREPARED = {
    "hourly": rules.ingest.output.hourly,
    "static": rules.static_fields.output[0],
    "patch_elevation": rules.patch_elevation.output[0],
    "statistics": rules.statistics.output[0],
    "scan_tables": rules.scan_tables.output[0],
}
PREPARED_OPTIONS = (
    "--config {params.config:q} --hourly {input.hourly:q} --static {input.static:q}"
    " --patch-elevation {input.patch_elevation:q} --statistics {input.statistics:q}"
    " --scan-tables {input.scan_tables:q}"
)
