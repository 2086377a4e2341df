-- What the loads of a project could not load, the latest first; a refused load says nothing.
select rejected.payload
from raw_evals.rejected_rows as rejected
inner join raw_evals.loads
    on rejected.load_id = loads.load_id
where
    loads.source = %(source)s
    and loads.source_ref ->> 'project_id' = %(project_id)s
    and loads.rows_loaded + loads.rows_unchanged > 0
order by rejected.load_id desc, rejected.row_number desc
