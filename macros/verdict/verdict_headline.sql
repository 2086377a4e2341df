-- sqlfluff:exclude_rules:LT02
{# What got better or worse by how much, and what decided: one sentence. #}
{% macro verdict_headline() -%}
    case
        when recommended.deciding_metric is null
            then
                'Nothing decides: no metric with a say has a value in both arms.'
        when recommended.is_harmed
            then
                {{ capitalised('phrases.deciding_change_with_p') }}
                || coalesce(
                    ', and ' || {{ listed('phrases.harmed_guards') }}, ''
                )
                || ': worse than the baseline.'
        when recommended.recommendation = 'reject'
            then
                {{ capitalised(listed('phrases.harmed_guards')) }}
                || ', and not shown to be better in '
                || phrases.deciding_name
                || coalesce(
                    ' (' || phrases.deciding_size || ', p '
                    || {{ p_in_words('phrases.deciding_p') }} || ')',
                    ''
                )
                || '.'
        when recommended.label = 'trade_off'
            then
                {{ capitalised('phrases.deciding_change_with_p') }}
                || ', but '
                || {{ listed('phrases.harmed_guards') }}
                || ': a trade-off that a person decides.'
        when recommended.recommendation_route = 'better'
            then
                {{ capitalised('phrases.deciding_change_with_p') }}
                || case
                    when phrases.n_guardrails > 0
                        then ', and no guardrail is lost.'
                    else '.'
                end
        when recommended.recommendation_route = 'quality_kept'
            then
                {{ capitalised('phrases.deciding_name') }}
                || ' is kept'
                || coalesce(' (at the worst ' || phrases.deciding_lowest_size
                    || ')', '')
                || coalesce(
                    ', and it is ' || {{ listed('phrases.gains') }},
                    ', and the metrics together gain'
                )
                || '.'
        when recommended.is_direction_unknown
            then
                {{ capitalised('phrases.deciding_name') }}
                || case
                    when phrases.deciding_p_value <= 0.05 then ' changed'
                    else ' may have changed'
                end
                || ' (p ' || {{ p_in_words('phrases.deciding_p_value') }}
                || '), but nobody has said whether less or more of it is '
                || 'better.'
        when phrases.deciding_pairs = 0
            then
                'Nothing to compare: no task has ' || phrases.deciding_name
                || ' in both arms.'
        when not phrases.has_enough_tasks
            then
                {{ capitalised('coalesce(phrases.deciding_change_with_p, phrases.deciding_name)') }}
                || ', on '
                || phrases.deciding_pairs
                || case phrases.deciding_pairs
                    when 1 then ' task'
                    else ' tasks'
                end
                || case
                    when
                        phrases.deciding_clusters
                        < phrases.deciding_pairs - 1e-9
                        then
                            ' in about '
                            || {{ number_in_words(
                                'phrases.deciding_clusters', 1
                            ) }} || ' independent clusters'
                    else ''
                end
                || ': too few to decide.'
        when recommended.has_low_coverage
            then
                {{ capitalised('phrases.deciding_change_with_p') }}
                || ', but only '
                || {{ number_in_words('100 * phrases.least_coverage', 1) }}
                || ' % of what was to be measured has '
                || {{ listed('phrases.uncovered') }}
                || ': the missing part could turn it.'
        when recommended.has_incomparable
            then
                {{ capitalised('phrases.deciding_change_with_p') }}
                || ', but '
                || phrases.n_incomparable
                || ' pairs ran on different versions of the dataset or the '
                || 'evaluator.'
        when recommended.has_hidden_critical and not recommended.has_tripped
            then
                {{ capitalised('phrases.deciding_change_with_p') }}
                || ', but a critical task is in quarantine: a person decides.'
        when recommended.has_tripped
            then
                {{ capitalised('phrases.deciding_change_with_p') }}
                || case when recommended.is_better then ', but ' else ', and '
                end
                || {{ listed('phrases.tripped') }}
                || ': a person decides.'
        when recommended.is_composite_worse
            then
                {{ capitalised('phrases.deciding_change_with_p') }}
                || ', but worse by all metrics together: a person decides.'
        when recommended.label = 'worse_within_margin'
            then
                {{ capitalised('phrases.deciding_change_with_p') }}
                || ', within the margin.'
        when phrases.is_equal and phrases.deciding_p_value = 1
            then
                'No difference in ' || phrases.deciding_name
                || ': both arms are equal on average.'
        when recommended.label = 'not_worse'
            then
                'Not worse: '
                || phrases.deciding_name
                || ' is kept'
                || coalesce(' (at the worst ' || phrases.deciding_lowest_size
                    || ')', '')
                || ', and nothing is shown to be better.'
        when recommended.is_better
            then
                {{ capitalised('phrases.deciding_change_with_p') }}
                || ', but '
                || {{ listed('phrases.open_guardrails[:3]') }}
                || case
                    when cardinality(phrases.open_guardrails) > 3
                        then
                            ' (and '
                            || cardinality(phrases.open_guardrails) - 3
                            || ' more)'
                    else ''
                end
                || ' cannot be excluded.'
        when phrases.deciding_p_value <= {{ var('alpha') }}
            then
                'No difference in ' || phrases.deciding_name
                || ' is shown once missing values count as the worst: '
                || phrases.deciding_size || ' among what has a value.'
        else
            'No difference in ' || phrases.deciding_name || ' is shown: '
            || phrases.deciding_size
            || coalesce(
                ' (from ' || phrases.deciding_low_size || ' to '
                || phrases.deciding_high_size || ')',
                ''
            )
            || '.'
    end
{%- endmacro %}
