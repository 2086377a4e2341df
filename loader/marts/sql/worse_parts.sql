select to_jsonb(part)
from {experiment_segment_verdicts} as part
where
    part.experiment_id = %(experiment)s
    and part.candidate_group = %(group_name)s
    and part.candidate_version = %(version)s
    and part.is_proven_worse
    and part.segment_kind = any(%(kinds)s)
order by part.segment_kind, part.p_worse_bh, part.segment
