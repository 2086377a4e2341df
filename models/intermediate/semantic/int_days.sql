with

days as (
    select moments.moment::date as date_day
    from
        generate_series(
            '2000-01-01'::timestamp,
            '2099-12-31'::timestamp,
            '1 day'::interval
        ) as moments (moment)
)

select * from days
