-- What the gate decided, and how honest it was found to be: append-only, so
-- that looking again and again until it is green stays visible.

create table raw_evals.gate_decisions (
    decision_id uuid primary key default gen_random_uuid(),
    experiment_id text not null,
    candidate_group text not null,
    candidate_version text not null,
    -- sha256 of the canonical policy
    policy_hash text not null,
    verdict text not null
    check (verdict in ('pass', 'blocked', 'inconclusive')),
    loader_version text not null,
    -- the latest load that the verdict rests on
    load_id bigint not null,
    exit_code integer not null,
    policy jsonb not null,  -- noqa: RF04
    reasons jsonb not null,
    numbers jsonb not null,
    decided_at timestamptz not null default clock_timestamp()
);

comment on table raw_evals.gate_decisions is
'One row per verdict that was asked for, with the policy and its numbers.';

create index gate_decisions_candidate_idx
on raw_evals.gate_decisions (
    experiment_id, candidate_group, candidate_version
);

create index gate_decisions_decided_at_idx
on raw_evals.gate_decisions (decided_at);

create table raw_evals.gate_calibrations (
    calibration_id uuid not null,
    experiment_id text not null,
    experiment_group text not null,
    extension_version text not null,
    metric text not null,
    loader_version text not null,
    -- the latest load of the experiment when it was calibrated
    load_id bigint not null,
    seed bigint not null,
    -- splits asked for; comparisons: those of them that gave a p-value
    splits integer not null check (splits >= 1),
    comparisons integer not null check (comparisons between 0 and splits),
    false_alarms integer not null
    check (false_alarms between 0 and comparisons),
    task_count integer not null,
    run_count integer not null,
    alpha double precision not null check (alpha > 0 and alpha < 1),
    rate double precision,
    rate_low double precision not null,
    rate_high double precision not null,
    calibrated_at timestamptz not null default now(),
    primary key (calibration_id, experiment_group, extension_version, metric)
);

comment on table raw_evals.gate_calibrations is
'One row per calibration, arm and metric: differences found between halves.';

create index gate_calibrations_experiment_id_idx
on raw_evals.gate_calibrations (experiment_id, calibrated_at);

create function raw_evals.refuse_change()
returns trigger
language plpgsql
as $function$
begin
    raise exception '%.% is append-only', tg_table_schema, tg_table_name
    using errcode = 'restrict_violation';
end
$function$;

create trigger gate_decisions_are_kept
before update or delete or truncate on raw_evals.gate_decisions
for each statement execute function raw_evals.refuse_change();

create trigger gate_calibrations_are_kept
before update or delete or truncate on raw_evals.gate_calibrations
for each statement execute function raw_evals.refuse_change();
