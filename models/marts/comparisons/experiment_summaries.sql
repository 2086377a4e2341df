{{
    config(
        unique_key=["experiment_id", "candidate_group", "candidate_version"],
        indexes=[{"columns": ["last_recorded_at"]}],
        meta={"settings": ["peeking"]},
    )
}}

with

comparisons as (
    {{ changed_rows(ref('evaluation_comparison_view')) }}
),

metric_comparisons as (
    {{ changed_rows(ref('experiment_metric_comparisons')) }}
),

experiment_verdicts as (
    {{ changed_rows(ref('int_experiment_verdicts')) }}
),

composites as (
    {{ changed_rows(ref('int_composite_improvements')) }}
),

experiment_baselines as (
    {{ changed_rows(ref('int_experiment_baselines')) }}
),

arm_agents as (
    select distinct
        experiment_id,
        candidate_group,
        candidate_version,
        coalesce(agent_name, 'unknown') as agent_name
    from comparisons
),

-- of which of an arm's agents an experiment was the baseline when it began
named_baselines as (
    select
        arm_agents.experiment_id,
        arm_agents.candidate_group,
        arm_agents.candidate_version,
        experiment_baselines.baseline_experiment_id,
        array_agg(
            arm_agents.agent_name order by arm_agents.agent_name collate "C"
        ) as agents,
        max(experiment_baselines.set_at) as set_at
    from arm_agents
    inner join experiment_baselines
        on
            arm_agents.experiment_id = experiment_baselines.experiment_id
            and arm_agents.agent_name = experiment_baselines.agent_name
    group by
        arm_agents.experiment_id,
        arm_agents.candidate_group,
        arm_agents.candidate_version,
        experiment_baselines.baseline_experiment_id
),

-- what is quarantined is counted apart
marked as (
    select
        *,
        baseline_result_id is not null
        and candidate_result_id is not null
        and not is_quarantined
            as is_counted
    from comparisons
),

counted as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        min(baseline_experiment_id) as baseline_experiment_id,
        -- several agents have no name in common
        case when min(agent_name) = max(agent_name) then min(agent_name) end
            as agent_name,
        min(primary_metric) as primary_metric,
        count(*) filter (where is_counted) as total_tasks,
        count(*) filter (where winner = 'candidate' and not is_quarantined)
            as candidate_wins,
        count(*) filter (where winner = 'baseline' and not is_quarantined)
            as baseline_wins,
        count(*) filter (where winner = 'tie' and not is_quarantined) as ties,
        count(*) filter (where is_counted and winner is null)
            as undecided_tasks,
        count(*) filter (where is_counted and not is_comparable)
            as incomparable_tasks,
        count(*) filter (
            where candidate_result_id is null and not is_quarantined
        ) as baseline_only_tasks,
        count(*) filter (
            where baseline_result_id is null and not is_quarantined
        ) as candidate_only_tasks,
        count(*) filter (where is_quarantined) as quarantined_tasks,
        count(*) filter (where is_quarantined and winner = 'baseline')
            as quarantined_worse,
        count(*) filter (where is_quarantined and winner = 'candidate')
            as quarantined_better,
        count(*) filter (where is_quarantine_expired) as expired_quarantines,
        {% for improvement in [
            'accuracy_improvement_pct',
            'completeness_improvement_pct',
            'efficiency_improvement_pct',
            'integration_quality_improvement_pct',
            'latency_reduction_pct',
            'tokens_reduction_pct',
            'cost_reduction_pct',
        ] %}
            avg({{ improvement }}::numeric) filter (where not is_quarantined)
                as avg_{{ improvement }},
        {% endfor %}
        least(min(baseline_recorded_at), min(candidate_recorded_at))
            as first_recorded_at,
        greatest(max(baseline_recorded_at), max(candidate_recorded_at))
            as last_recorded_at
    from marked
    group by experiment_id, candidate_group, candidate_version
),

-- arms over the tasks that both have, so that they differ by the change
arm_means as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        max(baseline_mean) filter (where metric = 'accuracy')
            as baseline_accuracy,
        max(candidate_mean) filter (where metric = 'accuracy')
            as candidate_accuracy,
        max(baseline_mean) filter (where metric = 'completeness')
            as baseline_completeness,
        max(candidate_mean) filter (where metric = 'completeness')
            as candidate_completeness,
        max(baseline_mean) filter (where metric = 'efficiency')
            as baseline_efficiency,
        max(candidate_mean) filter (where metric = 'efficiency')
            as candidate_efficiency,
        max(baseline_mean) filter (where metric = 'integration_quality')
            as baseline_integration_quality,
        max(candidate_mean) filter (where metric = 'integration_quality')
            as candidate_integration_quality,
        max(baseline_mean) filter (where metric = 'latency_ms')
            as baseline_latency_ms,
        max(candidate_mean) filter (where metric = 'latency_ms')
            as candidate_latency_ms,
        max(baseline_mean) filter (where metric = 'tokens_used')
            as baseline_tokens_used,
        max(candidate_mean) filter (where metric = 'tokens_used')
            as candidate_tokens_used,
        max(baseline_mean) filter (where metric = 'cost_usd')
            as baseline_cost_usd,
        max(candidate_mean) filter (where metric = 'cost_usd')
            as candidate_cost_usd
    from metric_comparisons
    group by experiment_id, candidate_group, candidate_version
),

with_verdicts as (
    select
        counted.*,
        verdicts.recommendation,
        verdicts.legacy_recommendation,
        verdicts.recommendation_labels,
        verdicts.recommendation_route,
        verdicts.headline,
        verdicts.recommendation_reasons,
        verdicts.required_additional_tasks,
        verdicts.required_repetitions,
        verdicts.required_for,
        verdicts.required_note,
        verdicts.weighted_improvement_pct,
        anytime_verdicts.recommendation as recommendation_anytime,
        -- nothing was measured or shared: there is no verdict to look up
        verdicts.experiment_id is not null and counted.total_tasks > 0
            as is_judged
    from counted
    left join experiment_verdicts as verdicts
        on
            {{ is_same_comparison('counted', 'verdicts') }}
            and verdicts.segment = ''
            and verdicts.is_anytime = {{ var('peeking') }}
    left join experiment_verdicts as anytime_verdicts
        on
            {{ is_same_comparison('counted', 'anytime_verdicts') }}
            and anytime_verdicts.segment = ''
            and anytime_verdicts.is_anytime
),

judged as (
    select
        counted.experiment_id,
        counted.candidate_group,
        counted.candidate_version,
        counted.baseline_experiment_id,
        counted.agent_name,
        counted.primary_metric,
        coalesce(counted.recommendation, 'needs_review') as recommendation,
        coalesce(counted.recommendation_anytime, 'needs_review')
            as recommendation_anytime,
        coalesce(counted.legacy_recommendation, 'needs_review')
            as legacy_recommendation,
        coalesce(counted.recommendation_labels, '{}')
            as recommendation_labels,
        named_baselines.agents as baseline_of_agents,
        counted.recommendation_route,
        case
            when counted.is_judged then counted.headline
            else {{ unpaired_headline() }}
        end as headline,
        counted.total_tasks::integer as total_tasks,
        counted.candidate_wins::integer as candidate_wins,
        counted.baseline_wins::integer as baseline_wins,
        counted.ties::integer as ties,
        counted.undecided_tasks::integer as undecided_tasks,
        counted.incomparable_tasks::integer as incomparable_tasks,
        counted.baseline_only_tasks::integer as baseline_only_tasks,
        counted.candidate_only_tasks::integer as candidate_only_tasks,
        counted.quarantined_tasks::integer as quarantined_tasks,
        counted.quarantined_worse::integer as quarantined_worse,
        counted.quarantined_better::integer as quarantined_better,
        counted.expired_quarantines::integer as expired_quarantines,
        primary_comparisons.n_candidates::integer as candidates_of_baseline,
        counted.required_additional_tasks,
        counted.required_repetitions,
        counted.required_for,
        case
            when counted.is_judged then counted.required_note
            else 'no_pairs'
        end as required_note,
        {% for improvement in [
            'avg_accuracy_improvement_pct',
            'avg_completeness_improvement_pct',
            'avg_efficiency_improvement_pct',
            'avg_integration_quality_improvement_pct',
            'avg_latency_reduction_pct',
            'avg_tokens_reduction_pct',
            'avg_cost_reduction_pct',
        ] %}
            {{ function('to_double') }}(counted.{{ improvement }})
                as {{ improvement }},
        {% endfor %}
        {% for metric in [
            'accuracy',
            'completeness',
            'efficiency',
            'integration_quality',
            'latency_ms',
            'tokens_used',
            'cost_usd',
        ] %}
            arm_means.baseline_{{ metric }},
            arm_means.candidate_{{ metric }},
        {% endfor %}
        primary_comparisons.p_value as statistical_significance,
        primary_comparisons.improvement_pct,
        primary_comparisons.improvement_low_pct,
        primary_comparisons.improvement_high_pct,
        counted.weighted_improvement_pct,
        composites.composite_improvement,
        composites.composite_error,
        composites.composite_degrees_of_freedom,
        composites.effective_clusters as composite_clusters,
        composites.composite_low,
        composites.composite_high,
        composites.p_better as p_composite_better,
        composites.p_worse as p_composite_worse,
        composites.p_better_anytime as p_composite_better_anytime,
        composites.p_worse_anytime as p_composite_worse_anytime,
        case
            when counted.is_judged then counted.recommendation_reasons
            else
                jsonb_build_array(
                    jsonb_build_object(
                        'code', {{ unpaired_code() }},
                        'sentence', {{ unpaired_headline() }}
                    )
                )
        end as recommendation_reasons,
        named_baselines.set_at as baseline_set_at,
        counted.first_recorded_at,
        counted.last_recorded_at
    from with_verdicts as counted
    left join named_baselines
        on
            {{ is_same_comparison('counted', 'named_baselines') }}
            and counted.baseline_experiment_id
            = named_baselines.baseline_experiment_id
    left join composites
        on
            {{ is_same_comparison('counted', 'composites') }}
            and composites.segment = ''
    left join metric_comparisons as primary_comparisons
        on
            {{ is_same_comparison('counted', 'primary_comparisons') }}
            and counted.primary_metric = primary_comparisons.metric
    left join arm_means
        on {{ is_same_comparison('counted', 'arm_means') }}
)

select * from judged
