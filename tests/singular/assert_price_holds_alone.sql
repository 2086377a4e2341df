{# A row is a model with two prices that hold from the same day on. #}
with

model_prices as (
    select * from {{ ref('model_prices') }}
),

doubled as (
    select
        model,
        valid_from,
        count(*) as price_count
    from model_prices
    group by model, valid_from
    having count(*) > 1
)

select * from doubled
