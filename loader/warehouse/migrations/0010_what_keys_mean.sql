-- What a service says of its keys: the scale and the better end of each, the
-- label that stands where there is no number, and the scores of an experiment
-- as a whole. Every column is null in rows of before.

alter table raw_evals.evaluation_runs
-- {evaluator key: text}: the category that a run was put into
add column labels jsonb;  -- noqa: RF04

create table raw_evals.score_configs (
    load_id bigint not null,
    experiment_id text not null,
    evaluator_key text not null,
    kind text not null check (
        kind in ('continuous', 'categorical', 'freeform')
    ),
    -- null where the service names no end
    scale_min double precision,
    scale_max double precision,
    -- null where it does not say
    direction text check (direction in ('higher', 'lower')),
    -- of a categorical key: [{"value": 1, "label": "good"}, …], in its order
    categories jsonb,
    check (scale_min < scale_max),
    -- begins with the distribution column of a Citus cluster
    primary key (experiment_id, evaluator_key, load_id)
);

comment on table raw_evals.score_configs is
'One row per load, experiment and key that the service explained; the latest counts.';

create table raw_evals.summary_scores (
    load_id bigint not null,
    experiment_id text not null,
    experiment_group text not null,
    extension_version text not null,
    -- of the service: a later row of one id takes the place of the earlier
    feedback_id text not null,
    evaluator_key text not null,
    score double precision,
    label text,  -- noqa: RF04
    comment text,  -- noqa: RF04
    -- evaluator: of the whole experiment; person: said on the service's page
    author_kind text not null check (author_kind in ('evaluator', 'person')),
    scored_at timestamptz,
    -- begins with the distribution column of a Citus cluster
    primary key (experiment_id, feedback_id, load_id)
);

comment on table raw_evals.summary_scores is
'One row per load and score of an arm as a whole, which no single run has.';
