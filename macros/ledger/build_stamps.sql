{# Where a whole build that ended well leaves what it was made of. #}
{% macro build_stamps() -%}
    {{ adapter.quote(marts_schema() ~ '_staging') }}.build_stamps
{%- endmacro %}


{# A build that begins: the marts are no longer what a stamp says. #}
{% macro take_stamp_away() %}
    {% if execute and writes_marts() %}
        delete from {{ build_stamps() }};
    {% endif %}
{% endmacro %}


{#
    After a run of everything in which nothing failed: what it was made of, as
    `evalmart build` has told it before dbt began. Plain dbt is not told,
    and leaves no stamp.
#}
{% macro leave_stamp(results) %}
    {% set told = env_var('EVALMART_STAMP', '') if execute else '' %}
    {% if told and writes_marts() and is_of_every_model() and not flags.EMPTY %}
        {% set stamp = fromjson(told) %}
        {% set bad = [] %}
        {% set warned = [] %}
        {% for result in results %}
            {% set status = result.status | string %}
            {% if status == 'warn' %}
                {% do warned.append(status) %}
            {% elif status not in ('success', 'pass', 'no-op') %}
                {% do bad.append(status) %}
            {% endif %}
        {% endfor %}
        {% if not bad %}
            delete from {{ build_stamps() }};

            insert into {{ build_stamps() }} (
                build_id, inputs_hash, raw_state, warned
            )
            select
                builds.build_id,
                '{{ stamp.inputs }}' as inputs_hash,
                '{{ stamp.raw }}' as raw_state,
                {{ warned | length }} as warned
            from {{ adapter.quote(marts_schema() ~ '_staging') }}.builds as builds
            where builds.holder ->> 'token' = '{{ build_token() }}';
        {% endif %}
    {% endif %}
{% endmacro %}
