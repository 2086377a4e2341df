-- Tasks that two candidates have, and what the deciding metric says of each.
with pairs as (
    select
        one.task_id,
        one.candidate_primary_value as one_value,
        two.candidate_primary_value as two_value,
        %(sign)s::double precision
        * (two.candidate_primary_value - one.candidate_primary_value)
            as difference
    from {evaluation_comparison_view} as one
    inner join {evaluation_comparison_view} as two
        on one.task_id = two.task_id
    where
        one.experiment_id = %(one_experiment)s
        and one.candidate_group = %(one_candidate)s
        and one.candidate_version = %(one_version)s
        and one.candidate_result_id is not null
        and two.experiment_id = %(two_experiment)s
        and two.candidate_group = %(two_candidate)s
        and two.candidate_version = %(two_version)s
        and two.candidate_result_id is not null
)

select * from pairs
where %(search)s::text is null or task_id ilike %(search)s
