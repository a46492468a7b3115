# One page that answers the question, and the checksums of everything behind it.

FIGURES = f"{RESULTS}/figures"


rule report:
    input:
        scores=rules.compare.output.scores,
        comparisons=rules.compare.output.comparisons,
        by_score=rules.compare.output.by_score,
        runs=rules.compare.input.runs,
        histories=expand(rules.train.output.history, variant=STUDY.variants, seed=STUDY.seeds),
        baselines=rules.compare.input.baselines,
        strata=rules.score_tables.output,
        winds=rules.wind_roses.output,
        static=rules.static_fields.output[0],
        climatology=rules.climatology.output[0],
        ingest=rules.ingest.output.report,
        quality=rules.ingest.output.quality,
        cost=rules.cost.output,
        interpretations=INTERPRETATIONS,
        supplement=SUPPLEMENT,
    output:
        html=report(
            f"{RESULTS}/report.html",
            category="Report",
            caption="../report/report.rst",
        ),
        markdown=f"{RESULTS}/report.md",
        figures=report(
            directory(FIGURES),
            patterns=["{figure}.png"],
            category="Figures",
            subcategory=section_of,
            labels={"figure": "{figure}"},
            caption="../report/figure.rst",
        ),
        tables=directory(f"{RESULTS}/tables"),
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    params:
        settings=settings("report"),
        study=uncompared(CONFIG),
        captions=figure_captions(),
        results=subpath(output.html, parent=True),
        data=subpath(input.static, parent=True),
    shell:
        "airshed report --config {params.study:q} --results {params.results:q}"
        " --data {params.data:q} --html {output.html:q} --markdown {output.markdown:q}"
        " --figures {output.figures:q} --tables {output.tables:q} 2> {log:q}"


rule manifest:
    input:
        **SIMULATED,
        prepared=[*SHARED_DATA.values(), *expand(rules.scan_tables.output, tables=SCAN_TABLES)],
        report=rules.report.output,
        tables=[*rules.compare.output, *rules.score_tables.output],
    output:
        f"{RESULTS}/manifest.json",
    log:
        f"{RESULTS}/logs/manifest.log",
    benchmark:
        f"{RESULTS}/benchmarks/manifest.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 2
    resources:
        mem_mb=memory(1000),
        runtime=minutes(240),
    params:
        study=uncompared(CONFIG),
        results=subpath(output[0], parent=True),
        given=uncompared([RAW, *GRAPH.other_files()]),
    shell:
        "airshed manifest --config {params.study:q} --results {params.results:q}"
        " --output {output:q} {params.given:q} {input.prepared:q} 2> {log:q}"
