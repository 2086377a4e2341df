{#
    A view. What the same judge said of the same answer at another time: the
    answer is what was kept of it, else the run, as long as it took what it took.

    A version of a run that only had other metadata was not judged again; of one
    run and one version of the judge a judgement is another where the judge said
    other words. One repeated word for word leaves no trace.
#}
{%- set parts = [
    'experiment_group', 'extension_version', 'task_id', 'source_run_id'
] -%}
with

evaluator_metrics as (
    select * from {{ ref('int_evaluator_metrics') }}
),

runs as (
    select
        versions.*,
        json_build_array(
            versions.experiment_id, versions.source, versions.source_run_id
        )::text as run_key,
        case
            when versions.outputs_id is not null
                then
                    json_build_array(
                        versions.task_id,
                        versions.inputs_id,
                        versions.outputs_id,
                        versions.reference_outputs_id
                    )
            else
                json_build_array(
                    versions.experiment_id,
                    versions.source,
                    versions.source_run_id,
                    versions.latency_ms,
                    versions.tokens_used,
                    versions.cost_usd,
                    versions.success,
                    versions.error_message
                )
        end::text as answer_key,
        coalesce(
            nullif(versions.metadata ->> 'cluster_id', ''), versions.task_id
        ) as cluster_id
    from {{ ref('stg_evaluation_runs') }} as versions
    where
        versions.scores != '{}'
        and {{ is_in_build('versions.load_id') }}
        and {{ is_standing('versions', parts) }}
),

counted_runs as (
    select
        *,
        count(*) over (partition by answer_key) as n_runs
    from runs
),

repeated_runs as (
    select * from counted_runs
    where n_runs > 1
),

run_values as (
    {{
        run_values(
            'repeated_runs',
            [
                'answer_key',
                'cluster_id',
                'run_key',
                'run_version',
                'load_id',
                'scores',
                'evaluator_versions',
                'comments',
            ],
            "select distinct experiment_id, evaluator_key from "
            ~ ref('set_aside_scores')
            ~ " where reason = 'undeclared_scale'",
        )
    }}
),

judgements as (
    select
        run_values.answer_key,
        run_values.cluster_id,
        judged_keys.evaluator_key,
        coalesce(
            run_values.evaluator_versions ->> judged_keys.evaluator_key, ''
        ) as judge_version,
        run_values.metric,
        run_values.run_key,
        run_values.run_version,
        run_values.load_id,
        run_values.comments ->> judged_keys.evaluator_key as words,
        run_values.value
    from run_values
    cross join
        lateral
        jsonb_object_keys(run_values.scores) as judged_keys (evaluator_key)
    left join evaluator_metrics
        on judged_keys.evaluator_key = evaluator_metrics.evaluator_key
    where
        run_values.value_source = 'score'
        and run_values.value is not null
        and coalesce(evaluator_metrics.metric, judged_keys.evaluator_key)
        = run_values.metric
        -- the key that counts, as in run_values
        and not jsonb_exists_any(
            run_values.scores, coalesce(evaluator_metrics.preferred_keys, '{}')
        )
),

compared_words as (
    select
        *,
        lag(run_version) over (
            partition by
                answer_key, evaluator_key, judge_version, metric, run_key
            order by run_version
        ) as earlier_run_version,
        lag(words) over (
            partition by
                answer_key, evaluator_key, judge_version, metric, run_key
            order by run_version
        ) as earlier_words
    from judgements
),

numbered as (
    select
        answer_key,
        cluster_id,
        evaluator_key,
        judge_version,
        metric,
        row_number() over (
            partition by answer_key, evaluator_key, judge_version, metric
            order by load_id asc, run_key collate "C" asc, run_version asc
        )::integer as judgement_number,
        load_id,
        value
    from compared_words
    where
        earlier_run_version is null
        or words is distinct from earlier_words
),

counted as (
    select
        *,
        count(*) over (
            partition by answer_key, evaluator_key, metric
        ) as n_judgements
    from numbered
),

repeated as (
    select
        answer_key,
        cluster_id,
        evaluator_key,
        judge_version,
        metric,
        judgement_number,
        load_id,
        value
    from counted
    where n_judgements > 1
)

select * from repeated
