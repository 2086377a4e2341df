{# Which way is better: a change of another column of the seed is none here. #}
with

metrics as (
    select * from {{ ref('metrics') }}
)

select
    metric,
    direction
from metrics
