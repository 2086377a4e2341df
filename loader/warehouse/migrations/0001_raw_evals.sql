-- What was observed, append-only. Everything that people read is derived from
-- these tables by dbt; nothing here is ever updated, and only retention deletes.

create table raw_evals.loads (
    load_id bigint primary key,
    source text not null,
    source_ref jsonb not null default '{}',
    -- null when one load spans several experiments
    experiment_id text,
    loader_version text not null,
    started_at timestamptz not null,
    finished_at timestamptz not null,
    rows_read bigint not null check (rows_read >= 0),
    rows_loaded bigint not null check (rows_loaded >= 0),
    rows_unchanged bigint not null check (rows_unchanged >= 0),
    rows_rejected bigint not null check (rows_rejected >= 0),
    constraint loads_conserve_rows check (
        rows_read = rows_loaded + rows_unchanged + rows_rejected
    )
);

comment on table raw_evals.loads is
'One row per load: what was read, from where, and what became of every row.';

-- Drawn under the advisory lock, just before a load's rows become visible.
create sequence raw_evals.load_ids;

create table raw_evals.evaluation_runs (
    load_id bigint not null,
    experiment_id text not null,
    source text not null,
    source_run_id text not null,
    -- 1, 2, 3 … for the successive contents of one run
    run_version integer not null check (run_version >= 1),
    content_hash uuid not null,
    task_id text not null,
    experiment_group text not null,
    extension_version text not null,
    repetition integer check (repetition >= 1),
    recorded_at timestamptz,
    model_version text not null,
    agent_name text,
    scores jsonb not null,
    measurements jsonb not null,
    latency_ms double precision,
    tokens_used bigint,
    cost_usd double precision,
    success boolean not null,
    error_message text,
    dataset_version text,
    evaluator_versions jsonb not null,
    feedback jsonb not null,
    baseline_experiment_id text,
    metadata jsonb not null,
    loaded_at timestamptz not null default now(),
    -- begins with the distribution column of a Citus cluster
    primary key (experiment_id, source, source_run_id, run_version)
);

comment on table raw_evals.evaluation_runs is
'One row per version of a run: a changed score appends a version.';

create index evaluation_runs_load_id_idx
on raw_evals.evaluation_runs using brin (load_id);

create table raw_evals.load_experiments (
    load_id bigint not null,
    experiment_id text not null,
    -- the experiment whose control arm this one is compared with, if any
    baseline_experiment_id text,
    unique nulls not distinct (load_id, experiment_id, baseline_experiment_id)
);

comment on table raw_evals.load_experiments is
'One row per experiment that a load touched: the change feed of the marts.';

create index load_experiments_baseline_experiment_id_idx
on raw_evals.load_experiments (baseline_experiment_id)
where baseline_experiment_id is not null;

create table raw_evals.rejected_rows (
    load_id bigint not null,
    origin text not null,
    row_number bigint not null,
    reason_code text not null,
    reason text not null,
    -- the original text; escaped where PostgreSQL text cannot hold it …
    payload text not null,
    -- … and then the original bytes beside it
    payload_bytes bytea
);

comment on table raw_evals.rejected_rows is
'One row per record that could not be loaded, with its reason and its text.';

create index rejected_rows_load_id_idx on raw_evals.rejected_rows (load_id);
