-- One row per experiment whose id begins so and of which runs stand, the last loaded first.
with

named as (
    select distinct experiment_id
    from raw_evals.load_experiments
    where starts_with(experiment_id, %(prefix)s)
),

standing as (
    select
        standing_versions.experiment_id,
        max(standing_versions.load_id) as last_load_id
    from raw_evals.standing_versions as standing_versions
    inner join named
        on standing_versions.experiment_id = named.experiment_id
    group by standing_versions.experiment_id
)

select
    experiment_id,
    last_load_id
from standing
order by last_load_id desc, experiment_id desc
