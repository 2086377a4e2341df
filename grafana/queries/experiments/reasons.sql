-- in the order in which they decided
select
    reasons.reason ->> 'sentence' as "what the verdict rests on",
    reasons.reason ->> 'code' as "code",
    (reasons.reason ->> 'p')::double precision as "p",
    (reasons.reason ->> 'level')::double precision as "at most"
from evals.experiment_summaries as summaries
cross join lateral jsonb_array_elements(summaries.recommendation_reasons)
    with ordinality as reasons (reason, place)
where
    summaries.experiment_id = ${experiment:sqlstring}
    and summaries.candidate_group = ${group:sqlstring}
    and summaries.candidate_version = ${version:sqlstring}
order by reasons.place
