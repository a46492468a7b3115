# snakemake --profile slurm check: one short job with the resources of the largest training, which
# reports what of the machine is fine, slow or broken. Nothing depends on it; its log is its result.


rule check:
    log:
        CHECK_LOG,
    retries: 0
    conda:
        "../../envs/train.yaml"
    threads: STUDY.train.threads
    resources:
        nodes=requested("nodes"),
        devices=requested("devices"),
        cpus_per_task=STUDY.train.threads,
        mem_mb=memory(requested("mem_mb")),
        runtime=minutes(15),
        slots=slots(requested("devices")),
        gres=gpus(requested("devices")),
        mpi=if_parallel(lambda request: "srun"),
        tasks=if_parallel(lambda request: request.processes),
        tasks_per_gpu=if_parallel(lambda request: 0),
    params:
        study=CONFIG,
        launch=launch,
    shell:
        f"{{params.launch}}airshed check --study {{params.study:q}} --variant {quote(CHECKED)}"
        " --nodes {resources.nodes} --devices {resources.devices} > {log:q} 2>&1"
