-- What people say of a run: a score with an author and a reason, beside what
-- judges gave and never over it. The latest of an author counts.

create sequence raw_evals.annotation_ids;

create table raw_evals.annotations (
    load_id bigint not null,
    -- one for what was said at once, of one run of a task or of all
    annotation_id bigint not null,
    experiment_id text not null,
    source text not null,
    source_run_id text not null,
    task_id text not null,
    experiment_group text not null,
    extension_version text not null,
    evaluator_key text not null,
    author text not null check (author <> ''),
    reason text not null check (reason <> ''),
    score double precision not null,
    -- of the key, in the run that it is about
    scale_min double precision not null,
    scale_max double precision not null,
    annotated_at timestamptz not null default clock_timestamp(),
    check (scale_min < scale_max),
    check (score between scale_min and scale_max),
    -- begins with the distribution column of a Citus cluster
    primary key (experiment_id, annotation_id, source, source_run_id)
);

comment on table raw_evals.annotations is
'One row per run and score that a person gave it.';

create index annotations_load_id_idx on raw_evals.annotations (load_id);

create trigger annotations_are_kept
before update or truncate on raw_evals.annotations
for each statement execute function raw_evals.refuse_change();

-- they go with their runs
create trigger annotations_are_purged
before delete on raw_evals.annotations
for each statement
when (current_setting('evalmart.purging', true) is distinct from 'on')
execute function raw_evals.refuse_change();

create view raw_evals.standing_annotations as
select annotations.*
from raw_evals.annotations
where
    not exists (
        select from raw_evals.withdrawals_in_force as withdrawals
        where
            withdrawals.experiment_id = annotations.experiment_id
            and withdrawals.load_id > annotations.load_id
            and coalesce(withdrawals.withdrawn_load_id, annotations.load_id)
            = annotations.load_id
            and coalesce(withdrawals.annotation_id, annotations.annotation_id)
            = annotations.annotation_id
            and coalesce(
                withdrawals.experiment_group, annotations.experiment_group
            )
            = annotations.experiment_group
            and coalesce(
                withdrawals.extension_version, annotations.extension_version
            )
            = annotations.extension_version
            and coalesce(withdrawals.task_id, annotations.task_id)
            = annotations.task_id
    );

comment on view raw_evals.standing_annotations is
'One row per annotation that was not withdrawn.';
