with

score_configs as (
    select * from {{ ref('stg_score_configs') }}
),

evaluator_metrics as (
    select * from {{ ref('evaluator_metrics') }}
),

-- the latest of a key among the loads that the build covers
latest_configs as (
    select distinct on (experiment_id, evaluator_key)
        experiment_id,
        evaluator_key,
        kind,
        direction,
        load_id,
        categories
    from score_configs
    where
        {{ is_in_build('load_id') }}
        and {{ is_standing('score_configs', []) }}
    order by experiment_id asc, evaluator_key asc, load_id desc
),

mapped as (
    select
        latest_configs.experiment_id,
        latest_configs.evaluator_key,
        coalesce(evaluator_metrics.metric, latest_configs.evaluator_key)
            as metric,
        latest_configs.kind,
        -- a scale whose least is its best is turned round: so is what was said
        case
            when
                coalesce(
                    evaluator_metrics.scale_min <= evaluator_metrics.scale_max,
                    true
                )
                then latest_configs.direction
            when latest_configs.direction = 'lower' then 'higher'
            when latest_configs.direction = 'higher' then 'lower'
        end as direction,
        latest_configs.load_id,
        latest_configs.categories
    from latest_configs
    left join evaluator_metrics
        on latest_configs.evaluator_key = evaluator_metrics.evaluator_key
),

-- of several keys of a metric, those that say something before those that do
-- not: its own name speaks, else the first by alphabet
ranked as (
    select
        experiment_id,
        evaluator_key,
        metric,
        kind,
        direction,
        load_id,
        row_number() over (
            partition by experiment_id, metric
            order by
                direction is null,
                evaluator_key != metric,
                evaluator_key collate "C"
        ) = 1 as speaks_for_metric,
        categories
    from mapped
)

select * from ranked
