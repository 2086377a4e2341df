{#
    What a reader should know before relying on a comparison, as an array of
    codes; needs the columns that int_metric_evidence brings together.
#}
{% macro comparison_flags() -%}
    array_remove(
        array[
            case when n_pairs = 0 then 'no_pairs' end,
            case
                when
                    pair_coverage
                    < {{ var('minimum_coverage') }} - {{ rounding_noise() }}
                    then 'low_coverage'
            end,
            case
                when
                    coalesce(effective_clusters, 0)
                    < {{ var('minimum_clusters') }} - 1e-9
                    then 'few_clusters'
            end,
            case when has_zero_variance then 'zero_variance' end,
            case when has_zero_baseline then 'zero_baseline' end,
            case
                when
                    sign(mean_difference)
                    * sign(mean_difference_missing_as_zero) < 0
                    -- the sum of scores that cancel is not always 0
                    and least(
                        abs(mean_difference), abs(mean_difference_missing_as_zero)
                    ) > {{ rounding_noise() }}
                    then 'missing_flips_sign'
            end,
            case
                when
                    detectable_improvement > improvement_margin
                    and improvement_margin > 0
                    then 'underpowered'
            end,
            case when n_incomparable > 0 then 'incomparable_versions' end,
            case when is_evaluator_one_sided then 'one_sided_evaluator_version'
            end,
            case when n_ratio_excluded > 0 then 'non_positive_values' end,
            case
                when is_difference_instead then 'differences_instead_of_ratios'
            end,
            case when n_quarantined > 0 then 'quarantined_tasks' end,
            case
                when n_quarantined_critical > 0
                    then 'critical_task_quarantined'
            end,
            case when has_uneven_repetitions then 'uneven_repetitions' end,
            case when is_metric_guessed then 'deciding_metric_guessed' end,
            case
                when has_unknown_direction then 'direction_unknown'
                when is_direction_said then null
                when kind = 'score' and not is_declared
                    then 'direction_assumed'
            end
        ],
        null
    )
{%- endmacro %}
