{#
    Why a candidate has no verdict: nothing to compare it with. Needs the counts
    of experiment_summaries under the name `counted`, and `named_baselines`.
#}
{% macro unpaired_code() -%}
    case
        when counted.total_tasks > 0 then 'no_values'
        when
            counted.quarantined_tasks > 0
            and counted.baseline_only_tasks = 0
            and counted.candidate_only_tasks = 0
            then 'all_quarantined'
        when counted.baseline_only_tasks = 0 then 'no_baseline'
        else 'nothing_shared'
    end
{%- endmacro %}


{% macro unpaired_headline() -%}
    case {{ unpaired_code() }}
        when 'no_values'
            then 'Nothing to compare: no run has a score or a measurement.'
        when 'all_quarantined'
            then
                'Nothing to compare: all tasks are in quarantine ('
                || counted.quarantined_tasks || ').'
        when 'no_baseline'
            then
                'No baseline: ' || counted.baseline_experiment_id
                || coalesce(
                    ', the baseline of '
                    || array_to_string(named_baselines.agents, ', ') || ',',
                    ''
                )
                || ' has no result of a control group.'
        else
            'Nothing is shared: none of the ' || counted.candidate_only_tasks
            || ' tasks of the candidate is among the '
            || counted.baseline_only_tasks || ' of the baseline.'
    end
{%- endmacro %}
