{{
    run_values(
        ref('evaluation_trials'),
        [
            'experiment_id',
            'source',
            'source_run_id',
            'result_id',
            'task_id',
            'experiment_group',
            'extension_version',
            'trial_count',
            'success',
        ],
        "select distinct experiment_id, evaluator_key from "
        ~ ref('set_aside_scores')
        ~ " where reason = 'undeclared_scale'",
    )
}}
