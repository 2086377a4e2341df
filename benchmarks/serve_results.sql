-- Results of experiments: each of some tasks in two arms, of which some flip, of
-- several agents and categories; the loader's row of the ledger is beside them.
insert into raw_evals.evaluation_runs (
    load_id,
    experiment_id,
    source,
    source_run_id,
    run_version,
    content_hash,
    task_id,
    experiment_group,
    extension_version,
    repetition,
    recorded_at,
    model_version,
    agent_name,
    scores,
    measurements,
    latency_ms,
    tokens_used,
    cost_usd,
    success,
    evaluator_versions,
    feedback,
    metadata
)
select
    %(load_id)s,
    %(name)s || '-' || to_char(experiment, 'fm00000'),
    'file',
    'run-' || task || '-' || arm.name,
    1,
    md5(%(name)s || experiment || '/' || task || '/' || arm.name)::uuid,
    'task-' || to_char(task, 'fm000000'),
    arm.name,
    '1.' || experiment / 5 || '.0',
    1,
    '2026-01-01T00:00:00Z'::timestamptz
    + make_interval(hours => experiment, secs => task),
    'model-1',
    'agent-' || case when %(tasks)s > 1000 then task else experiment end %% 4,
    jsonb_build_object(
        'accuracy', ((task * 7 + experiment + arm.shift) %% 101) / 100.0,
        'completeness', ((task * 11 + experiment + arm.shift) %% 101) / 100.0,
        'efficiency', ((task * 13 + experiment + arm.shift) %% 101) / 100.0,
        'integration_quality',
        ((task * 17 + experiment + arm.shift) %% 101) / 100.0
    ),
    '{}',
    500 + (task * 37 + experiment * 11 + arm.shift) %% 3000,
    1000 + (task * 53 + experiment * 7 + arm.shift) %% 5000,
    (100 + (task * 29 + experiment * 3 + arm.shift) %% 900) / 100000.0,
    (task + arm.shift) %% 50 != 0,
    '{}',
    '{}',
    jsonb_build_object('category', 'area-' || task %% 12)
from generate_series(%(first)s::integer, %(last)s::integer) as experiment
cross join generate_series(1, %(tasks)s) as task
cross join (values ('baseline', 0), ('code-chef', 5)) as arm (name, shift)
