-- One row per metric of an agent, and per part of its tasks: how the differences of its
-- latest comparisons vary, on the scale of the margin.
with

comparisons as (
    select
        parts.experiment_id,
        parts.candidate_group,
        parts.candidate_version
    from {experiment_segment_comparisons} as parts
    inner join {experiment_summaries} as summaries
        on
            parts.experiment_id = summaries.experiment_id
            and parts.candidate_group = summaries.candidate_group
            and parts.candidate_version = summaries.candidate_version
    where
        parts.segment_kind = 'agent'
        and parts.segment = %(agent)s
        and parts.role in ('deciding', 'guardrail')
        and parts.n_pairs >= 2
    group by
        parts.experiment_id, parts.candidate_group, parts.candidate_version
    order by
        max(summaries.last_recorded_at) desc nulls last,
        parts.experiment_id desc,
        parts.candidate_group desc,
        parts.candidate_version desc
    limit %(comparisons)s
),

-- the reading that varies more: as recorded, or with a missing score as 0; the error of a
-- mean has in it what clusters add
spreads as (
    select
        case parts.segment_kind when 'agent' then '' else parts.segment end
            as segment,
        parts.metric,
        count(*) as comparisons,
        sum(parts.n_pairs)::bigint as pairs,
        sum(
            parts.n_pairs * parts.n_pairs * greatest(
                parts.improvement_error * parts.improvement_error,
                parts.lower_improvement_error * parts.lower_improvement_error
            )
        ) / sum(parts.n_pairs) as variance,
        sum(parts.n_pairs) / sum(parts.effective_clusters) as tasks_per_cluster,
        (array_agg(parts.improvement_margin order by parts.n_pairs desc))[1]
            as margin,
        bool_or(parts.role in ('deciding', 'guardrail')) as has_say,
        bool_or(parts.is_of_ratio_kind and not parts.is_difference_instead)
            as is_ratio,
        bool_or(parts.direction = 'lower') as is_lower_better
    from {experiment_segment_comparisons} as parts
    inner join comparisons
        on
            parts.experiment_id = comparisons.experiment_id
            and parts.candidate_group = comparisons.candidate_group
            and parts.candidate_version = comparisons.candidate_version
    where
        (
            (parts.segment_kind = 'agent' and parts.segment = %(agent)s)
            or (
                parts.segment_kind = %(segment_kind)s
                and parts.segment_kind != 'agent'
            )
        )
        and parts.n_pairs >= 2
        and parts.improvement_error is not null
        and parts.improvement_margin > 0
        and parts.kind in ('score', 'latency', 'tokens', 'cost', 'measurement')
    group by
        case parts.segment_kind when 'agent' then '' else parts.segment end,
        parts.metric
),

whole_spreads as materialized (
    select
        metric,
        is_ratio,
        is_lower_better
    from spreads
    where segment = '' and (has_say or metric = %(metric)s)
),

pairs as materialized (
    select
        row_number() over () as pair,
        dense_rank() over (
            order by
                comparisons.experiment_id,
                comparisons.candidate_group,
                comparisons.candidate_version
        ) as comparison,
        tasks.experiment_id,
        tasks.candidate_result_id,
        coalesce(tasks.baseline_experiment_id, tasks.experiment_id)
            as baseline_experiment_id,
        tasks.baseline_result_id
    from {evaluation_comparison_view} as tasks
    inner join comparisons
        on
            tasks.experiment_id = comparisons.experiment_id
            and tasks.candidate_group = comparisons.candidate_group
            and tasks.candidate_version = comparisons.candidate_version
    where tasks.is_comparable and tasks.agent_name = %(agent)s
    order by tasks.candidate_recorded_at desc nulls last, tasks.task_id asc
    limit %(pairs)s
),

differences as materialized (
    select
        pairs.pair,
        pairs.comparison,
        whole_spreads.metric,
        1.0 / candidate.repetitions as candidate_share,
        1.0 / baseline.repetitions as baseline_share,
        candidate.is_binary and baseline.is_binary as is_binary,
        case
            when candidate.repetitions > 1 and baseline.repetitions > 1
                then
                    case
                        when not whole_spreads.is_ratio
                            then
                                candidate.value_stddev * candidate.value_stddev
                                + baseline.value_stddev * baseline.value_stddev
                        when candidate.value > 0 and baseline.value > 0
                            then
                                ln(1 + (candidate.value_stddev / candidate.value) ^ 2)
                                + ln(1 + (baseline.value_stddev / baseline.value) ^ 2)
                    end
        end as noise,
        case
            when not whole_spreads.is_ratio then candidate.value - baseline.value
            when candidate.value > 0 and baseline.value > 0
                then ln(candidate.value) - ln(baseline.value)
        end * case when whole_spreads.is_lower_better then -1 else 1 end as difference
    from pairs
    inner join {evaluation_scores} as candidate
        on
            pairs.experiment_id = candidate.experiment_id
            and pairs.candidate_result_id = candidate.result_id
    inner join {evaluation_scores} as baseline
        on
            pairs.baseline_experiment_id = baseline.experiment_id
            and pairs.baseline_result_id = baseline.result_id
            and candidate.metric = baseline.metric
    inner join whole_spreads
        on candidate.metric = whole_spreads.metric
    where
        candidate.repetitions > 0
        and baseline.repetitions > 0
),

noises as (
    select
        metric,
        avg(noise) as within,
        avg((candidate_share + baseline_share) / 2)::float8 as share,
        bool_and(is_binary) as is_binary
    from differences
    group by metric
),

centred as materialized (
    select
        pair,
        metric,
        difference
        - avg(difference) over (partition by comparison, metric) as difference
    from differences
    where difference is not null
),

-- side by side in arrays: nothing has statistics, and a join would loop
pair_values as (
    select
        pair,
        array_agg(metric order by metric collate "C") as metrics,
        array_agg(difference order by metric collate "C") as differences
    from centred
    group by pair
),

pair_correlations as (
    select
        pair_values.metrics[ones.place] as metric,
        pair_values.metrics[others.place] as other,
        corr(
            pair_values.differences[ones.place],
            pair_values.differences[others.place]
        ) as correlation
    from pair_values
    cross join
        lateral generate_subscripts(pair_values.metrics, 1) as ones (place)
    cross join
        lateral generate_subscripts(pair_values.metrics, 1) as others (place)
    where ones.place < others.place
    group by
        pair_values.metrics[ones.place], pair_values.metrics[others.place]
    having count(*) >= %(fewest_correlated)s
),

correlations as (
    select
        metric,
        jsonb_object_agg(other, correlation) as correlations
    from pair_correlations
    where correlation is not null
    group by metric
)

select
    spreads.segment,
    spreads.metric,
    spreads.has_say,
    spreads.comparisons,
    spreads.pairs,
    greatest(
        0, spreads.variance - coalesce(noises.within * noises.share, 0)
    )::float8 as between,
    noises.within::float8 as within,
    greatest(1, spreads.tasks_per_cluster)::float8 as tasks_per_cluster,
    spreads.margin,
    coalesce(noises.is_binary, false) as is_binary,
    spreads.is_ratio,
    coalesce(correlations.correlations, '{{}}'::jsonb) as correlations
from spreads
left join noises
    on spreads.metric = noises.metric
left join correlations
    on spreads.metric = correlations.metric
where spreads.has_say or spreads.metric = %(metric)s
order by spreads.segment collate "C", spreads.metric collate "C"
