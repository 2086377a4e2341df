{# What values are of: a change of another column of the seed is none here. #}
with

metrics as (
    select * from {{ ref('metrics') }}
)

select
    metric,
    kind,
    position
from metrics
