{#
    The rows of a relation that data tests have yet to see: those of the
    experiments replaced since the model's tests last passed, or all rows after
    a full build and with the var test_all. The two halves are switched by
    one-time filters, so the half that does not apply is never read.
#}
{% macro untested_rows(relation, model=none) -%}
    {%- set model = model or relation.identifier -%}
    {%- if var('test_all') -%}
        select * from {{ relation }}
    {%- else -%}
        select *
        from {{ relation }}
        where {{ is_untested_as_a_whole(model) }}
        union all
        select *
        from {{ relation }}
        where
            not {{ is_untested_as_a_whole(model) }}
            and experiment_id = any(
                array(
                    select distinct changes.experiment_id
                    from {{ build_changes() }} as changes
                    where changes.model = '{{ model }}'
                )
            )
    {%- endif -%}
{%- endmacro %}


{% macro is_untested_as_a_whole(model) -%}
    coalesce(
        (
            select
                watermarks.full_build_number > watermarks.tested_build_number
            from {{ build_watermarks() }} as watermarks
            where watermarks.model = '{{ model }}'
        ),
        true
    )
{%- endmacro %}
