-- The latest comparison of an agent with two pairs or more, of one experiment where it is named.
select
    parts.experiment_id,
    parts.candidate_group,
    parts.candidate_version
from {experiment_segment_comparisons} as parts
inner join {experiment_summaries} as summaries
    on
        parts.experiment_id = summaries.experiment_id
        and parts.candidate_group = summaries.candidate_group
        and parts.candidate_version = summaries.candidate_version
where
    parts.segment_kind = 'agent'
    and parts.segment = %(agent)s
    and parts.role = 'deciding'
    and parts.n_pairs >= 2
    and (%(experiment_id)s::text is null or parts.experiment_id = %(experiment_id)s)
order by
    summaries.last_recorded_at desc nulls last,
    parts.experiment_id desc,
    parts.candidate_group desc,
    parts.candidate_version desc
limit 1
