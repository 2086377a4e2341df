-- Scores of arms as a whole. A row that is as it was is not written again, unless it was
-- withdrawn, or the load brings runs of the arm: they keep it when the load that said it first is
-- withdrawn. Nor is, at all, the score of an arm of which
-- nothing could be loaded, unless it was asked for by itself.
with

scores as (
    select *
    from
        unnest(
            %(experiments)s::text[],
            %(groups)s::text[],
            %(versions)s::text[],
            %(feedback)s::text[],
            %(keys)s::text[],
            %(scores)s::double precision[],
            %(labels)s::text[],
            %(comments)s::text[],
            %(authors)s::text[],
            %(times)s::timestamptz[],
            %(alone)s::boolean[]
        ) as given (
            experiment_id,
            experiment_group,
            extension_version,
            feedback_id,
            evaluator_key,
            score,
            label,
            comment,
            author_kind,
            scored_at,
            is_kept_alone
        )
),

latest as (
    select distinct on (told.experiment_id, told.feedback_id) told.*
    from raw_evals.summary_scores as told
    where
        told.experiment_id = any(%(experiments)s)
        and not raw_evals.is_taken_back(
            told.experiment_id, told.load_id, told.experiment_group, told.extension_version
        )
    order by told.experiment_id asc, told.feedback_id asc, told.load_id desc
)

insert into raw_evals.summary_scores (
    load_id, experiment_id, experiment_group, extension_version, feedback_id,
    evaluator_key, score, label, comment, author_kind, scored_at
)
select
    %(load_id)s,
    scores.experiment_id,
    scores.experiment_group,
    scores.extension_version,
    scores.feedback_id,
    scores.evaluator_key,
    scores.score,
    scores.label,
    scores.comment,
    scores.author_kind,
    scores.scored_at
from scores
left join latest
    on
        scores.experiment_id = latest.experiment_id
        and scores.feedback_id = latest.feedback_id
where
    (
        to_jsonb(scores) - 'is_kept_alone'
        is distinct from to_jsonb(latest) - 'load_id'
        or exists (
            select from raw_evals.evaluation_runs as runs
            where
                runs.experiment_id = scores.experiment_id
                and runs.experiment_group = scores.experiment_group
                and runs.extension_version = scores.extension_version
                and runs.load_id = %(load_id)s
        )
    )
    and (
        scores.is_kept_alone
        or exists (
            select from raw_evals.evaluation_runs as runs
            where
                runs.experiment_id = scores.experiment_id
                and runs.experiment_group = scores.experiment_group
                and runs.extension_version = scores.extension_version
        )
    )
returning experiment_id
