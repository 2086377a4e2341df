{#
    Whether no withdrawal that the build takes in covers a row of raw.

    rows: relation of raw with experiment_id and load_id.
    parts: columns of it that a withdrawal may name; of what it names none, a
    row is covered by a withdrawal that names none either.

    A filter and no join: withdrawals are few and runs are many, so that rows
    keep their order and nearly all pass by the hash of a few experiments.
#}
{% macro is_standing(rows, parts) -%}
    (
        {{ rows }}.experiment_id not in (
            select withdrawals.experiment_id
            from {{ ref('stg_withdrawals') }} as withdrawals
        )
        or not exists (
            select
            from {{ ref('int_withdrawals') }} as withdrawals
            where
                withdrawals.experiment_id = {{ rows }}.experiment_id
                and {{ is_covered(rows, 'withdrawals', parts) }}
        )
    )
{%- endmacro %}


{# Whether a withdrawal from the experiment of a row of raw covers the row. #}
{% macro is_covered(rows, withdrawals, parts) -%}
    {{ withdrawals }}.load_id > {{ rows }}.load_id
    and coalesce({{ withdrawals }}.withdrawn_load_id, {{ rows }}.load_id)
    = {{ rows }}.load_id
    {% for part in [
        'annotation_id', 'experiment_group', 'extension_version', 'task_id'
    ] -%}
        {% if part in parts %}
            and coalesce({{ withdrawals }}.{{ part }}, {{ rows }}.{{ part }})
            = {{ rows }}.{{ part }}
        {% else %}
            and {{ withdrawals }}.{{ part }} is null
        {% endif %}
    {% endfor %}
    and (
        {{ withdrawals }}.source_run_ids is null
        {% if 'source_run_id' in parts -%}
            or jsonb_exists(
                {{ withdrawals }}.source_run_ids, {{ rows }}.source_run_id
            )
        {% endif %}
    )
{%- endmacro %}
