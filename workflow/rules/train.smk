# One training per variant and seed. Checkpoints are no declared output: they outlive a job that
# dies, and the next attempt continues from them. With several processes `mpi` makes SLURM's jobs
# span their nodes, and tasks_per_gpu=0 keeps the executor from counting tasks by GPU as well.


rule train:
    input:
        **PREPARED,
        **DEPARTED_FROM,
        start=start_of,
    output:
        run=f"{RUN}/run.json",
        history=f"{RUN}/history.csv",
    log:
        f"{RUN}/logs/train.log",
    benchmark:
        f"{RUN}/benchmarks/train.tsv"
    conda:
        "../../envs/train.yaml"
    threads: STUDY.train.threads
    resources:
        nodes=requested("nodes"),
        devices=requested("devices"),
        cpus_per_task=STUDY.train.threads,
        mem_mb=training_memory,
        runtime=minutes(requested("runtime_min")),
        slots=slots(requested("devices")),
        gres=gpus(requested("devices")),
        mpi=if_parallel(lambda request: "srun"),
        tasks=if_parallel(lambda request: request.processes),
        tasks_per_gpu=if_parallel(lambda request: 0),
    params:
        settings=settings("training", "variant"),
        files=files("training", "variant"),
        work=work("training", "variant"),
        study=uncompared(CONFIG),
        launch=launch,
        start=start_option,
        take_over="",
    shell:
        "{params.launch}airshed train --variant {wildcards.variant:q} --seed {wildcards.seed}"
        " --nodes {resources.nodes} --devices {resources.devices}"
        f" {PREPARED_OPTIONS}{DEPARTED_FROM_OPTIONS}"
        " {params.start} {params.take_over} --study {params.study:q} --run {output.run:q} --history {output.history:q} 2> {log:q}"


# What another study has finished with the same result is taken over, by the same command and with
# the same params, so that nothing is repeated when that study is gone.
if GRAPH.trainings:

    use rule train as take_over with:
        log:
            f"{RUN}/logs/take_over.log",
        benchmark:
            f"{RUN}/benchmarks/take_over.tsv"
        wildcard_constraints:
            variant=only(GRAPH.trainings),
        threads: 1
        resources:
            nodes=1,
            devices=0,
            cpus_per_task=1,
            mem_mb=500,
            runtime=10,
        params:
            settings=settings("training", "variant"),
            files=files("training", "variant"),
            work=work("training", "variant"),
            study=uncompared(CONFIG),
            launch="",
            start=start_option,
            take_over=source_of(GRAPH.trainings),

    ruleorder: take_over > train

    localrules:
        take_over,
