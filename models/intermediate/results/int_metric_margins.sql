{#
    What a metric may lose, and how much it weighs. Read where a comparison is
    one row, so that an edited margin costs no pass over its tasks.
#}
with

metrics as (
    select * from {{ ref('metrics') }}
)

select
    metric,
    weight::float8 as weight,
    non_inferiority_margin::float8 as non_inferiority_margin
from metrics
