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
        settings=settings("raw"),
        work=work("raw"),
    shell:
        f"airshed simulate {HANDED}" " --output {output:q} 2> {log:q}"


rule ingest:
    input:
        **SIMULATED,
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
        settings=settings("hourly"),
        files=files("hourly"),
        work=work("hourly"),
        raw=uncompared(RAW),
    shell:
        # one heap for all threads: with one for each, the C library keeps a third more than is used
        f"MALLOC_ARENA_MAX=1 airshed ingest {HANDED}"
        " --raw {params.raw:q} --hourly {output.hourly:q}"
        " --report {output.report:q} --quality {output.quality:q} --workers {threads} 2> {log:q}"


rule static_fields:
    input:
        **SIMULATED,
        hourly=rules.ingest.output.hourly,
    output:
        str(GRAPH.places.static),
    log:
        f"{DATA}/logs/{GRAPH.places.static.stem}.log",
    benchmark:
        f"{DATA}/benchmarks/{GRAPH.places.static.stem}.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    params:
        settings=settings("static"),
        files=files("static"),
        work=work("static"),
        raw=uncompared(RAW),
    shell:
        f"airshed static-fields {HANDED}"
        " --raw {params.raw:q}"
        " --hourly {input.hourly:q} --output {output:q} 2> {log:q}"


rule patch_elevation:
    input:
        static=rules.static_fields.output[0],
    output:
        str(GRAPH.places.patch_elevation),
    log:
        f"{DATA}/logs/{GRAPH.places.patch_elevation.stem}.log",
    benchmark:
        f"{DATA}/benchmarks/{GRAPH.places.patch_elevation.stem}.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        settings=settings("patch_elevation"),
        work=work("patch_elevation"),
    shell:
        f"airshed patch-elevation {HANDED}"
        " --static {input.static:q}"
        " --output {output:q} 2> {log:q}"


rule statistics:
    input:
        hourly=rules.ingest.output.hourly,
        static=rules.static_fields.output[0],
    output:
        str(GRAPH.places.statistics),
    log:
        f"{DATA}/logs/{GRAPH.places.statistics.stem}.log",
    benchmark:
        f"{DATA}/benchmarks/{GRAPH.places.statistics.stem}.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 2
    resources:
        mem_mb=memory(2000),
        runtime=minutes(120),
    params:
        settings=settings("statistics"),
        work=work("statistics"),
    shell:
        f"airshed statistics {HANDED}"
        " --hourly {input.hourly:q}"
        " --static {input.static:q} --workers {threads} --output {output:q} 2> {log:q}"


# One file for each geometry of regions and sectors that a variant's scan has.
SCAN_TABLES = {GRAPH.places.scan_tables(name).stem: name for name in STUDY.variants}


rule scan_tables:
    output:
        f"{DATA}/{{tables}}.nc",
    log:
        f"{DATA}/logs/{{tables}}.log",
    benchmark:
        f"{DATA}/benchmarks/{{tables}}.tsv"
    wildcard_constraints:
        tables="|".join(SCAN_TABLES),
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        settings=lambda wildcards: GRAPH.settings("scan_tables", SCAN_TABLES[wildcards.tables]),
        work=work("scan_tables"),
    shell:
        f"airshed scan-tables {HANDED}" " --output {output:q} 2> {log:q}"


rule climatology:
    input:
        hourly=rules.ingest.output.hourly,
        static=rules.static_fields.output[0],
    output:
        str(GRAPH.places.climatology),
    log:
        f"{DATA}/logs/{GRAPH.places.climatology.stem}.log",
    benchmark:
        f"{DATA}/benchmarks/{GRAPH.places.climatology.stem}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(240),
    params:
        settings=settings("climatology"),
        work=work("climatology"),
    shell:
        f"airshed climatology {HANDED}"
        " --hourly {input.hourly:q}"
        " --static {input.static:q} --output {output:q} 2> {log:q}"


rule damping:
    input:
        hourly=rules.ingest.output.hourly,
        static=rules.static_fields.output[0],
        climatology=rules.climatology.output[0],
    output:
        str(GRAPH.places.damping),
    log:
        f"{DATA}/logs/{GRAPH.places.damping.stem}.log",
    benchmark:
        f"{DATA}/benchmarks/{GRAPH.places.damping.stem}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(240),
    params:
        settings=settings("damping"),
        work=work("damping"),
    shell:
        f"airshed damping {HANDED}"
        " --hourly {input.hourly:q}"
        " --static {input.static:q} --climatology {input.climatology:q}"
        " --output {output:q} 2> {log:q}"


# What training and evaluation read, by the names of their options.
SHARED_DATA = {
    "hourly": rules.ingest.output.hourly,
    "static": rules.static_fields.output[0],
    "patch_elevation": rules.patch_elevation.output[0],
    "statistics": rules.statistics.output[0],
}
PREPARED = SHARED_DATA | {
    "scan_tables": lambda wildcards: str(GRAPH.places.scan_tables(wildcards.variant)),
}
PREPARED_OPTIONS = (
    f"{HANDED}"
    " --hourly {input.hourly:q} --static {input.static:q}"
    " --patch-elevation {input.patch_elevation:q} --statistics {input.statistics:q}"
    " --scan-tables {input.scan_tables:q}"
)
# What trainings read of the forecast that their networks depart from; a trained run brings it along.
DEPARTED_FROM = {name: str(getattr(GRAPH.places, name)) for name in GRAPH.departed_from()}
DEPARTED_FROM_OPTIONS = "".join(f" --{name} {{input.{name}:q}}" for name in DEPARTED_FROM)
