{#
    Scores that runs got when a judge had them side by side, of which mostly
    there are none: a table, so that no build and no reader looks for them in the
    feedback of every run. What met is what was judged at once, else what is of
    one task.
#}
{{
    config(
        unique_key=[
            "experiment_id",
            "source",
            "source_run_id",
            "comparative_experiment_id",
            "evaluator_key",
            "meeting",
        ],
    )
}}

with

evaluation_trials as (
    {{ changed_rows(ref('evaluation_trials')) }}
),

entries as (
    select
        trials.experiment_id,
        trials.source,
        trials.source_run_id,
        trials.task_id,
        trials.experiment_group,
        trials.extension_version,
        found.entry
    from evaluation_trials as trials
    cross join
        lateral
        jsonb_path_query(
            trials.feedback, '$[*] ? (@.outcome == "pairwise")'
        ) as found (entry)
),

-- what a person set right goes before the judge's; one that raised said none
read_entries as (
    select
        experiment_id,
        source,
        source_run_id,
        task_id,
        experiment_group,
        extension_version,
        entry ->> 'comparative_experiment_id' as comparative_experiment_id,
        entry ->> 'key' as evaluator_key,
        coalesce(
            'group ' || (entry ->> 'feedback_group_id'), 'task ' || task_id
        ) as meeting,
        entry ->> 'id' as feedback_id,
        coalesce(
            case
                when
                    jsonb_typeof(entry #> '{correction,score}')
                    in ('number', 'boolean')
                    then entry #> '{correction,score}'
            end,
            case when not entry @> '{"error": true}' then entry -> 'score' end
        ) as score,
        entry ->> 'created_at' as created_at
    from entries
),

-- a run that was judged again at the same meeting has its latest score
latest_entries as (
    select distinct on (
        experiment_id,
        source,
        source_run_id,
        comparative_experiment_id,
        evaluator_key,
        meeting
    ) *
    from read_entries
    where comparative_experiment_id is not null and evaluator_key is not null
    order by
        experiment_id asc,
        source asc,
        source_run_id asc,
        comparative_experiment_id asc,
        evaluator_key asc,
        meeting asc,
        created_at collate "C" desc nulls last,
        feedback_id collate "C" desc nulls last
),

scored as (
    select
        experiment_id,
        source,
        source_run_id,
        task_id,
        experiment_group,
        extension_version,
        comparative_experiment_id,
        evaluator_key,
        meeting,
        case jsonb_typeof(score)
            when 'boolean' then score::boolean::integer::numeric
            when 'number' then score::numeric
        end as score
    from latest_entries
)

select * from scored
