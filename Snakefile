# Airshed: ablation studies of air-quality forecasting transformers.
# Without --configfile this is the demo study; another one: --configfile config/studies/<study>.yaml


from pathlib import Path

from snakemake.exceptions import WorkflowError

if not (workflow.modifier.skip_configfile or Path("config/config.yaml").is_file()):
    raise WorkflowError(
        f"there is no config/config.yaml in {Path.cwd()}, where results would go: run snakemake in"
        f" the folder of the Snakefile, or say --directory {workflow.current_basedir}"
    )


configfile: "config/config.yaml"
configfile: "config/variants.yaml"


if not workflow.overwrite_configfiles:

    configfile: "config/studies/demo.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/check.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/supplement.smk"
include: "workflow/rules/report.smk"


localrules:
    all,


rule all:
    default_target: True
    input:
        rules.report.output.html,
        rules.report.output.markdown,
        rules.manifest.output,
        # every run for itself, so that one whose files are removed is made again
        expand(rules.train.output, variant=STUDY.variants, seed=STUDY.seeds),
        rules.compare.input.runs,
        ARCHIVES,
