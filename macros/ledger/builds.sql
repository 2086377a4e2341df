{#
    The ledger of builds, which is also the lease of whoever builds: see
    raw_evals.take_build. A build of `evalmart` has taken it before dbt
    began, and tells by which token; plain dbt takes it here, and is refused
    while another build is alive.
#}
{% macro begin_build() %}
    {% if execute and writes_marts() %}
        select raw_evals.begin_build(
            '{{ marts_schema() }}',
            jsonb_build_object(
                'name', 'dbt {{ invocation_id }}',
                'token', '{{ build_token() }}',
                'sessions', current_setting('application_name')
            ),
            '{{ build_settings_hash() }}',
            {{ is_of_every_model() }},
            {{
                flags.FULL_REFRESH or flags.EMPTY or false
                or graph.get('changed_models', []) | length > 0
            }}
        );
    {% endif %}
{% endmacro %}


{#
    Closes it. The marts are of one state when every model was built, whatever
    their tests say of them.
#}
{% macro end_build(results) %}
    {% if execute and writes_marts() %}
        {% set unbuilt = [] %}
        {% for result in results %}
            {% if (
                result.node.package_name == 'evalmart'
                and result.node.resource_type in ('model', 'seed', 'function')
                and result.status | string != 'success'
            ) %}
                {% do unbuilt.append(result.node.name) %}
            {% endif %}
        {% endfor %}
        select raw_evals.end_build(
            '{{ marts_schema() }}',
            '{{ build_token() }}',
            {{ (not unbuilt) and (not flags.EMPTY) }}
        );
    {% endif %}
{% endmacro %}


{# What names this run in the ledger. #}
{% macro build_token() %}
    {{ return(env_var('EVALMART_BUILD', invocation_id)) }}
{% endmacro %}


{# Whether this run makes or fills a relation of the marts. #}
{% macro writes_marts() %}
    {% for unique_id in selected_resources %}
        {% set kind, package = unique_id.split('.')[:2] %}
        {% if package == 'evalmart' and kind in ('model', 'seed', 'function') %}
            {{ return(flags.WHICH in ('build', 'run', 'seed', 'retry')) }}
        {% endif %}
    {% endfor %}
    {{ return(false) }}
{% endmacro %}


{# Whether this run builds every model there is. #}
{% macro is_of_every_model() %}
    {% for node in graph.nodes.values() %}
        {% if (
            node.package_name == 'evalmart'
            and node.resource_type == 'model'
            and node.unique_id not in selected_resources
        ) %}
            {{ return(false) }}
        {% endif %}
    {% endfor %}
    {{ return(true) }}
{% endmacro %}


{#
    Hash of what the marts depend on beside raw rows, as far as dbt has it
    before it runs: the text of models, of the macros that they name, and of
    seeds, and the vars that models name.
#}
{% macro build_settings_hash() %}
    {% set texts = [] %}
    {% set making = {} %}
    {% for unique_id, node in graph.nodes.items() | sort(attribute='0') %}
        {# seeds of another project may stand for those of this one #}
        {% if (
            node.resource_type == 'seed'
            or node.resource_type == 'model' and node.package_name == 'evalmart'
        ) %}
            {% if node.resource_type == 'model' %}
                {% do collect_making(node, {}, making) %}
            {% endif %}
            {% do texts.append(
                unique_id ~ making.get(unique_id, node.checksum.checksum)
            ) %}
            {% for setting in node.config.meta.settings | default([]) %}
                {% do texts.append(setting ~ '=' ~ var(setting)) %}
            {% endfor %}
        {% endif %}
    {% endfor %}
    {{ return(local_md5(texts | join(';'))) }}
{% endmacro %}


{#
    What a reader asks in the snapshot of its answer: is a build in the way of
    answering from one state? With its owner's rights, because who reads marts
    may see neither raw nor the ledger.
#}
{% macro create_build_in_the_way(schema) %}
    {% if execute and writes_marts() %}
        create or replace function {{ schema }}.build_in_the_way(
            experiments text [],
            out status text,
            out holder jsonb,
            out started_at timestamptz,
            out is_alive boolean
        )
        returns setof record
        stable
        security definer
        set search_path = pg_catalog, pg_temp
        language sql
        as $function$
            select status, holder, started_at, is_alive
            from raw_evals.build_in_the_way('{{ marts_schema() }}', experiments)
        $function$;
    {% endif %}
{% endmacro %}
