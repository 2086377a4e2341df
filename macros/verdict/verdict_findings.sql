-- sqlfluff:exclude_rules:LT02
{#
    What a metric may have to say on the verdict: its place among the reasons,
    code, p-value and level it was held to, sentence. A query each: rows of one
    VALUES would word every sentence before most are thrown away.
#}
{% macro verdict_findings(settings, level) -%}
{%- set is_stop = "recommendation != 'reject'" -%}
select
    1 as place,
    'harmed' as code,
    p_worse as p,
    {{ level }} as level,
    format('%s: a loss beyond chance, and more than the margin of %s may be lost.',
        {{ capitalised('change_with_p') }}, margin_in_words) as sentence
where
    recommendation = 'reject'
    and is_deciding and is_worse and is_losing and has_enough_tasks
union all
select
    case kind when 'success' then 3 else 2 end as place,
    case kind when 'success' then 'success_harmed' else 'guardrail_harmed' end as code,
    p_guard_holm as p,
    {{ settings.harm_level }}::float8 as level,
    format('%s: a loss beyond chance, and more than the margin of %s may be lost.',
        {{ capitalised('change_with_p') }}, margin_in_words) as sentence
where
    recommendation = 'reject'
    and role in ('guardrail', 'success')
    and is_losing
    and has_enough_tasks
    and not is_comparison_better
    and p_guard_holm <= {{ settings.harm_level }}
union all
select
    10 as place,
    'direction_unknown' as code,
    p_value as p,
    null::float8 as level,
    format(
        '%s went from %s to %s (p %s), and nobody has said whether less or more '
        || 'of it is better: declare its direction (loader declare metric).',
        name,
        {{ number_in_words('baseline_mean', 4) }},
        {{ number_in_words('candidate_mean', 4) }},
        {{ p_in_words('p_value') }}
    ) as sentence
where
    {{ is_stop }} and is_deciding and 'direction_unknown' = any(flags)
union all
select
    11 as place,
    'no_pairs' as code,
    null::float8 as p,
    null::float8 as level,
    case
        when n_pairs = 0 then format('No task has %s in both arms.', name)
        else format('%s cannot be tested: %s %s in both arms.', name, n_pairs,
            case n_pairs when 1 then 'task has it' else 'tasks have it' end)
    end as sentence
where
    {{ is_stop }} and is_deciding and p_better is null
    and not 'direction_unknown' = any(flags)
union all
select
    12 as place,
    'too_few_tasks' as code,
    null::float8 as p,
    null::float8 as level,
    format('Only %s %s %s in both arms; a verdict takes %s.',
        n_pairs, case n_pairs when 1 then 'task has' else 'tasks have' end, name,
        {{ settings.minimum_tasks }}) as sentence
where
    {{ is_stop }} and is_deciding and n_pairs < {{ settings.minimum_tasks }}
union all
select
    13 as place,
    'few_clusters' as code,
    null::float8 as p,
    null::float8 as level,
    format('%s rests on %s independent %s; a verdict takes %s.',
        name,
        {{ number_in_words('coalesce(effective_clusters, 0)', 1) }},
        case
            when effective_clusters < n_pairs then 'clusters' else 'tasks'
        end,
        {{ settings.minimum_clusters }}) as sentence
where
    {{ is_stop }} and is_deciding and n_pairs > 0
    and coalesce(effective_clusters, 0) < {{ settings.minimum_clusters }} - 1e-9
union all
select
    14 as place,
    'better' as code,
    p_better as p,
    {{ level }} as level,
    format('%s: a gain beyond chance.', {{ capitalised('change_with_p') }}) as sentence
where
    {{ is_stop }} and is_deciding and is_better
union all
select
    15 as place,
    'trade_off' as code,
    p_guard_holm as p,
    {{ settings.harm_level }}::float8 as level,
    format('%s, beyond chance; its margin is %s.',
        {{ capitalised('change_with_p') }}, margin_in_words) as sentence
where
    {{ is_stop }}
    and role in ('guardrail', 'success')
    and is_losing
    and has_enough_tasks
    and p_guard_holm <= {{ settings.harm_level }}
union all
select
    16 as place,
    'low_coverage' as code,
    null::float8 as p,
    null::float8 as level,
    format('Only %s %% of what was to be measured has %s; %s %% are asked for.',
        {{ number_in_words('100 * pair_coverage', 1) }}, name,
        {{ number_in_words('100 * ' ~ settings.minimum_coverage, 1) }}) as sentence
where
    {{ is_stop }} and role in ('deciding', 'guardrail') and has_low_coverage
union all
select
    17 as place,
    'incomparable_versions' as code,
    null::float8 as p,
    null::float8 as level,
    format('%s %s of %s ran on different versions of the dataset or the '
        || 'evaluator in the two arms, and are left out.', n_incomparable,
        case n_incomparable when 1 then 'pair' else 'pairs' end, name) as sentence
where
    {{ is_stop }} and role in ('deciding', 'guardrail') and n_incomparable > 0
union all
select
    17 as place,
    'critical_task_quarantined' as code,
    null::float8 as p,
    null::float8 as level,
    'A task that its record calls critical is in quarantine: what became of it '
    || 'has no say, so nothing is deployed for the rest.' as sentence
where
    {{ is_stop }} and is_deciding and 'critical_task_quarantined' = any(flags)
union all
select
    18 as place,
    case kind when 'success' then 'success_harmed' else 'tripwire_harmed' end as code,
    p_tripwire_holm as p,
    {{ level }} as level,
    format('%s, beyond chance%s.', {{ capitalised('change_with_p') }},
        case kind when 'success' then ''
            else ', though nobody declared ' || name || ' a guardrail' end) as sentence
where
    {{ is_stop }}
    and role in ('tripwire', 'success')
    and is_losing
    and p_tripwire_holm <= {{ level }}
union all
select
    20 as place,
    'guardrail_open' as code,
    p_lost as p,
    {{ settings.kept_level }}::float8 as level,
    case
        when change_at_worst is null
            then format('%s has no interval to hold to its margin (%s %s).',
                name, n_pairs,
                case n_pairs when 1 then 'pair' else 'pairs' end)
        else format('%s: at the worst %s; its margin is %s.',
            {{ capitalised('name') }}, change_at_worst, margin_in_words)
    end as sentence
where
    {{ is_stop }} and is_comparison_better and role = 'guardrail'
    and not is_kept
    and not (
        is_losing and has_enough_tasks
        and coalesce(p_guard_holm <= {{ settings.harm_level }}, false)
    )
union all
select
    21 as place,
    'quality_kept' as code,
    p_lost as p,
    {{ level }} as level,
    format('%s is kept: at the worst %s; its margin is %s.',
        {{ capitalised('name') }}, coalesce(change_at_worst, 'unchanged'),
        margin_in_words) as sentence
where
    is_deciding and (route = 'quality_kept' or label = 'not_worse')
union all
select
    22 as place,
    'gain' as code,
    p_gain_holm as p,
    {{ settings.gain_level }}::float8 as level,
    format('%s: a gain beyond chance.', {{ capitalised('change_with_p') }}) as sentence
where
    role = 'guardrail' and route = 'quality_kept' and is_gain
union all
select
    24 as place,
    'worse_within_margin' as code,
    p_worse as p,
    {{ level }} as level,
    format('%s: a loss beyond chance, but within the margin of %s.',
        {{ capitalised('change_with_p') }}, margin_in_words) as sentence
where
    {{ is_stop }} and is_deciding and is_worse and improvement < 0 and is_kept
union all
select
    25 as place,
    'not_better' as code,
    p_better as p,
    {{ level }} as level,
    format('No difference in %s is shown: %s%s.', name, size,
        coalesce(' (from ' || low_size || ' to ' || high_size || ')', '')) as sentence
where
    {{ is_stop }} and is_deciding and p_better is not null and route is null
    and not is_better and not is_worse
union all
select
    30 as place,
    'kept_not_proven' as code,
    p_lost as p,
    {{ level }} as level,
    format('%s: at the worst %s; its margin is %s.', {{ capitalised('name') }},
        coalesce(change_at_worst, 'unknown'), margin_in_words) as sentence
where
    role = 'guardrail' and route = 'better' and not is_proven_kept
union all
select
    31 as place,
    'direction_assumed' as code,
    null::float8 as p,
    null::float8 as level,
    format('Nobody declared %s: more of it is taken for better.', name) as sentence
where
    is_deciding and direction_source = 'assumed'
union all
select
    31 as place,
    'direction_from_service' as code,
    null::float8 as p,
    null::float8 as level,
    format('Which way %s is better was said by the service that it came from.',
        name) as sentence
where
    is_deciding and direction_source = 'service'
union all
select
    32 as place,
    'deciding_metric_guessed' as code,
    null::float8 as p,
    null::float8 as level,
    format('%s decides because it is the first score by name; the var '
        || 'primary_metric names another.', name) as sentence
where
    is_deciding and 'deciding_metric_guessed' = any(flags)
union all
select
    33 as place,
    'one_arm_only' as code,
    null::float8 as p,
    null::float8 as level,
    format('%s was recorded in one arm only and has no say.',
        {{ capitalised('name') }}) as sentence
where
    role_note = 'one_arm_only'
union all
select
    34 as place,
    'uneven_repetitions' as code,
    null::float8 as p,
    null::float8 as level,
    'The arms ran some tasks a different number of times: runs that left no '
    || 'record are not seen.' as sentence
where
    is_deciding and 'uneven_repetitions' = any(flags)
union all
select
    35 as place,
    'several_candidates' as code,
    null::float8 as p,
    null::float8 as level,
    format('%s candidates are compared with this baseline, each by itself.',
        n_candidates) as sentence
where
    is_deciding and n_candidates > 1
union all
select
    36 as place,
    'quarantined_tasks' as code,
    null::float8 as p,
    null::float8 as level,
    format('%s quarantined: left out of the verdict; by %s, %s of them got '
        || 'worse and %s better.',
        case n_quarantined when 1 then '1 task is'
            else n_quarantined || ' tasks are' end,
        name, n_quarantined_worse, n_quarantined_better) as sentence
where
    is_deciding and n_quarantined > 0
{%- endmacro %}
