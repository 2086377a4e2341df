-- Experiments of a slice of which a plan, the role of a group, what a key means or a score of an
-- arm stands, which a withdrawal would take out: each may be there without a run.
with

told as (
    select
        load_id,
        experiment_id,
        experiment_group,
        extension_version
    from raw_evals.arm_plans
    union all
    select
        load_id,
        experiment_id,
        experiment_group,
        null as extension_version
    from raw_evals.experiment_group_roles
    union all
    select
        load_id,
        experiment_id,
        null as experiment_group,
        null as extension_version
    from raw_evals.score_configs
    union all
    select
        load_id,
        experiment_id,
        experiment_group,
        extension_version
    from raw_evals.summary_scores
)

select distinct told.experiment_id
from told
where
    %(task_id)s::text is null
    and %(annotation_id)s::bigint is null
    and (%(load_id)s::bigint is null or told.load_id = %(load_id)s)
    and (%(experiment_id)s::text is null or told.experiment_id = %(experiment_id)s)
    and (%(experiment_group)s::text is null or told.experiment_group = %(experiment_group)s)
    and (%(extension_version)s::text is null or told.extension_version = %(extension_version)s)
    and not raw_evals.is_taken_back(
        told.experiment_id, told.load_id, told.experiment_group, told.extension_version
    )
