-- What a record may hold, here too: a role may insert by hand what no check of
-- the program has seen, and one number beyond double precision, one scale
-- without width or one key too long for an index entry would end every later
-- build. The bounds are those of loader/records/bounds.py. Rows of before are
-- not looked at: staging makes harmless what they hold.

alter table raw_evals.evaluation_runs
add constraint evaluation_runs_texts_are_short check (
    octet_length(experiment_id) between 1 and 512
    and octet_length(source) between 1 and 256
    and octet_length(source_run_id) between 1 and 1024
    and octet_length(task_id) between 1 and 512
    and octet_length(experiment_group) between 1 and 256
    and octet_length(extension_version) between 1 and 256
    and octet_length(model_version) <= 256
    and octet_length(agent_name) <= 256
    and octet_length(dataset_version) <= 256
    and octet_length(baseline_experiment_id) <= 512
    and octet_length(trace_url) <= 2048
) not valid,
add constraint evaluation_runs_numbers_are_measured check (
    run_version <= 1000000000
    and repetition <= 1000000000
    and latency_ms between 0 and 1e12
    and cost_usd between 0 and 1e9
    and tokens_used between 0 and 1000000000000
    and prompt_tokens between 0 and 1000000000000
    and completion_tokens between 0 and 1000000000000
    and cached_tokens between 0 and 1000000000000
    and reasoning_tokens between 0 and 1000000000000
) not valid,
add constraint evaluation_runs_times_are_known check (
    recorded_at >= '1970-01-01 00:00:00+00'
    and recorded_at < '2200-01-01 00:00:00+00'
    and loaded_at >= '1970-01-01 00:00:00+00'
    and loaded_at < '2200-01-01 00:00:00+00'
) not valid,
-- a comparison of what is no number is unknown, so its type is asked for first
add constraint evaluation_runs_scores_are_numbers check (
    jsonb_typeof(scores) = 'object'
    and (
        scores = '{}'
        or not jsonb_path_exists(
            scores,
            'strict $.* ? (
                @.type() != "number" && @.type() != "boolean"
                && @.type() != "null" || @ > 1e30 || @ < -1e30
            )'
        )
    )
    and jsonb_typeof(measurements) = 'object'
    and (
        measurements = '{}'
        or not jsonb_path_exists(
            measurements,
            'strict $.* ? (@.type() != "number" || @ > 1e30 || @ < -1e30)'
        )
    )
) not valid,
-- an object of [min, max], the low end first, and of null
add constraint evaluation_runs_scales_have_ends check (
    score_scales = '{}'
    or jsonb_typeof(score_scales) = 'object'
    and not jsonb_path_exists(
        score_scales,
        'strict $.* ? (
            @.type() != "null"
            && (
                @.type() != "array" || @.size() != 2
                || @[0].type() != "number" || @[1].type() != "number"
                || @[0] >= @[1] || @[0] < -1e30 || @[1] > 1e30
            )
        )'
    )
) not valid,
add constraint evaluation_runs_json_is_shaped check (
    jsonb_typeof(metadata) = 'object'
    and jsonb_typeof(evaluator_versions) = 'object'
    and jsonb_typeof(set_aside) = 'object'
    and jsonb_typeof(comments) = 'object'
    and jsonb_typeof(labels) = 'object'
) not valid,
-- keys become metrics, and stand in index entries; where all is short, each is
add constraint evaluation_runs_keys_are_short check (
    (
        pg_column_size(scores) <= 900
        or not jsonb_path_exists(
            scores, '$.keyvalue().key ? (@ like_regex "^.{129}" flag "s")'
        )
    )
    and (
        pg_column_size(measurements) <= 900
        or not jsonb_path_exists(
            measurements, '$.keyvalue().key ? (@ like_regex "^.{129}" flag "s")'
        )
    )
    and (
        pg_column_size(score_scales) <= 900
        or not jsonb_path_exists(
            score_scales, '$.keyvalue().key ? (@ like_regex "^.{129}" flag "s")'
        )
    )
    and (
        pg_column_size(set_aside) <= 900
        or not jsonb_path_exists(
            set_aside, '$.keyvalue().key ? (@ like_regex "^.{142}" flag "s")'
        )
    )
    and (
        pg_column_size(labels) <= 900
        or not jsonb_path_exists(
            labels, '$.keyvalue().key ? (@ like_regex "^.{129}" flag "s")'
        )
    )
    -- what nests deeper than is taken is larger than this
    and (
        pg_column_size(metadata) <= 1200
        or not jsonb_path_exists(metadata, 'strict $.**{300}')
    )
) not valid;

alter table raw_evals.loads
add constraint loads_are_in_bounds check (
    octet_length(source) between 1 and 256
    and octet_length(experiment_id) <= 512
    and octet_length(loader_version) <= 256
    and started_at >= '1970-01-01 00:00:00+00'
    and started_at < '2200-01-01 00:00:00+00'
    and finished_at >= '1970-01-01 00:00:00+00'
    and finished_at < '2200-01-01 00:00:00+00'
    and values_set_aside <= 1000000000000000
    and rows_read <= 1000000000000000
) not valid,
-- a build casts it
add constraint loads_of_purges_say_before_when check (
    case
        when source = 'purge' and source_ref ? 'before'
            then
                (source_ref ->> 'before')::timestamptz
                >= '1970-01-01 00:00:00+00'
                and (source_ref ->> 'before')::timestamptz
                < '2200-01-01 00:00:00+00'
        else true
    end
) not valid;

alter table raw_evals.load_experiments
add constraint load_experiments_are_in_bounds check (
    octet_length(experiment_id) between 1 and 512
    and octet_length(baseline_experiment_id) <= 512
) not valid;

alter table raw_evals.rejected_rows
add constraint rejected_rows_are_in_bounds check (
    octet_length(reason_code) between 1 and 256
    and octet_length(origin) <= 65536
    and octet_length(reason) <= 65536
) not valid;

alter table raw_evals.arm_plans
add constraint arm_plans_are_in_bounds check (
    octet_length(experiment_id) between 1 and 512
    and octet_length(experiment_group) between 1 and 256
    and octet_length(extension_version) between 1 and 256
    and planned_repetitions <= 1000000000
    and planned_tasks <= 1000000000
) not valid;

alter table raw_evals.withdrawals
add constraint withdrawals_are_in_bounds check (
    octet_length(experiment_id) between 1 and 512
    and withdrawn_at >= '1970-01-01 00:00:00+00'
    and withdrawn_at < '2200-01-01 00:00:00+00'
) not valid;

alter table raw_evals.annotations
add constraint annotations_are_in_bounds check (
    octet_length(experiment_id) between 1 and 512
    and octet_length(source) between 1 and 256
    and octet_length(source_run_id) between 1 and 1024
    and octet_length(task_id) between 1 and 512
    and octet_length(experiment_group) between 1 and 256
    and octet_length(extension_version) between 1 and 256
    and octet_length(evaluator_key) between 1 and 128
    and scale_min >= -1e30
    and scale_max <= 1e30
    and annotated_at >= '1970-01-01 00:00:00+00'
    and annotated_at < '2200-01-01 00:00:00+00'
) not valid;

alter table raw_evals.experiment_group_roles
add constraint experiment_group_roles_are_in_bounds check (
    octet_length(experiment_id) between 1 and 512
    and octet_length(experiment_group) between 1 and 256
) not valid;

alter table raw_evals.score_configs
add constraint score_configs_are_in_bounds check (
    octet_length(experiment_id) between 1 and 512
    and octet_length(evaluator_key) between 1 and 128
    and scale_min between -1e30 and 1e30
    and scale_max between -1e30 and 1e30
) not valid;

alter table raw_evals.summary_scores
add constraint summary_scores_are_in_bounds check (
    octet_length(experiment_id) between 1 and 512
    and octet_length(experiment_group) between 1 and 256
    and octet_length(extension_version) between 1 and 256
    and octet_length(feedback_id) between 1 and 512
    and octet_length(evaluator_key) between 1 and 128
    and score between -1e30 and 1e30
    and scored_at >= '1970-01-01 00:00:00+00'
    and scored_at < '2200-01-01 00:00:00+00'
) not valid;

alter table raw_evals.agent_baselines
add constraint agent_baselines_are_in_bounds check (
    octet_length(agent_name) between 1 and 256
    and octet_length(experiment_id) <= 512
    and set_at >= '1970-01-01 00:00:00+00'
    and set_at < '2200-01-01 00:00:00+00'
) not valid;

alter table raw_evals.contents
add constraint contents_are_in_bounds check (
    kept_at >= '1970-01-01 00:00:00+00'
    and kept_at < '2200-01-01 00:00:00+00'
) not valid;

alter table raw_evals.gate_decisions
add constraint gate_decisions_are_in_bounds check (
    octet_length(experiment_id) between 1 and 512
    and octet_length(candidate_group) between 1 and 256
    and octet_length(candidate_version) between 1 and 256
    and octet_length(agent_name) <= 256
    and decided_at >= '1970-01-01 00:00:00+00'
    and decided_at < '2200-01-01 00:00:00+00'
    and jsonb_typeof(policy) = 'object'
    and coalesce(jsonb_typeof(policy -> 'peeking'), 'null')
    in ('boolean', 'null')
) not valid;

alter table raw_evals.gate_calibrations
add constraint gate_calibrations_are_in_bounds check (
    octet_length(experiment_id) between 1 and 512
    and octet_length(experiment_group) between 1 and 256
    and octet_length(extension_version) between 1 and 256
    and octet_length(metric) between 1 and 512
    and rate between 0 and 1
    and rate_low between 0 and 1
    and rate_high between 0 and 1
    and calibrated_at >= '1970-01-01 00:00:00+00'
    and calibrated_at < '2200-01-01 00:00:00+00'
) not valid;
