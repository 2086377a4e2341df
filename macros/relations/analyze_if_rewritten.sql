{#
    Leaves fresh statistics behind where this transaction rewrote much of a table:
    the models that follow at once would be planned on what the table was before.

    least_rows: how few rows do not count.
#}
{% macro analyze_if_rewritten(relation, least_rows=1000) %}
    {% call statement('analyze_if_rewritten') %}
        {{ analysis_if_rewritten(relation, least_rows) }}
    {% endcall %}
{% endmacro %}


{# The same as one statement, for a hook. #}
{% macro analysis_if_rewritten(relation, least_rows=1000) -%}
    do $$
    begin
        if exists (
            select
            from pg_stat_xact_user_tables as written
            inner join pg_class as tables
                on written.relid = tables.oid
            where
                written.relid = '{{ relation }}'::regclass
                and written.n_tup_ins > 0.1 * greatest(tables.reltuples, 0)
                and written.n_tup_ins > {{ least_rows }}
        ) then
            analyze {{ relation }};
        end if;
    end
    $$
{%- endmacro %}
