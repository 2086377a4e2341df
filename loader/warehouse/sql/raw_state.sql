-- Everything in raw that marts are made of, as text that changes when it does:
-- what is said of runs comes with a load, and load ids only grow.
select
    concat_ws(
        ' ',
        'loads', (select max(loads.load_id) from raw_evals.loads as loads),
        'decisions', (select count(*) from raw_evals.gate_decisions),
        'schema', (
            select max(versions.version) from raw_evals.schema_version as versions
        )
    ) as raw_state,
    coalesce(
        (select max(loads.load_id) from raw_evals.loads as loads), 0
    ) as load_id
