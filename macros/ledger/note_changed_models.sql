{#
    Before a run: finds the incremental models whose tables another text made
    than the project has now, an upgrade's or an edit's, and leaves their ids in
    dbt's graph, where is_incremental looks. Says how long the build may take.

    A table of which nobody knows what made it, of before 0.2, is one of them.
#}
{% macro note_changed_models() %}
    {% if is_selected() %}
        {% set hashes = {} %}
        {% set changed = [] %}
        {% if writes_marts() %}
            {% set kept = {} %}
            {% set made = {} %}
            {% for name, hash in run_query(made_relations()).rows %}
                {% do made.update({name: hash}) %}
            {% endfor %}
            {% for unique_id in selected_resources | sort %}
                {% set node = graph.nodes.get(unique_id, {}) %}
                {% if (
                    node.package_name == 'evalmart'
                    and node.resource_type == 'model'
                    and node.config.materialized == 'incremental'
                ) %}
                    {% set hash = making_hash(node, kept) %}
                    {% do hashes.update({unique_id: hash}) %}
                    {% set name = node.schema ~ '.' ~ node.alias %}
                    {% if name in made and made[name] != hash %}
                        {% do changed.append(unique_id) %}
                    {% endif %}
                {% endif %}
            {% endfor %}
        {% endif %}
        {% do graph.update({
            'making_hashes': hashes, 'changed_models': changed,
        }) %}
        {% if changed and not (flags.FULL_REFRESH or flags.EMPTY) %}
            {% do print(
                'models have changed since they were built, and are built anew: '
                ~ changed | length
                ~ run_query(expected_duration()).rows[0][0]
            ) %}
        {% endif %}
    {% endif %}
{% endmacro %}


{# The tables of these schemas, and of what text each was made. #}
{% macro made_relations() %}
    select
        schemas.nspname || '.' || relations.relname as relation_name,
        built.making_hash
    from pg_class as relations
    inner join pg_namespace as schemas
        on relations.relnamespace = schemas.oid
    left join {{ built_relations() }} as built
        on
            built.relation_name
            = format('"%s"."%s"', schemas.nspname, relations.relname)
    where
        relations.relkind = 'r'
        and schemas.nspname in (
            '{{ marts_schema() }}', '{{ marts_schema() }}_intermediate'
        )
{% endmacro %}


{#
    How long a build of everything may take, in words: by the last one that
    computed every row, where the ledger knows one, else by a rate that was
    measured (3,000 runs a second, a minute for the rest). Runs are counted as loads say.
#}
{% macro expected_duration() %}
    with

    last_build as (
        select
            builds.built_load_id,
            extract(epoch from builds.finished_at - builds.wrote_at) as seconds
        from {{ adapter.quote(marts_schema() ~ '_staging') }}.builds as builds
        where
            builds.status = 'complete'
            and builds.is_whole
            and builds.replaces_all
            and builds.wrote_at is not null
        order by builds.build_id desc
        limit 1
    ),

    counted as (
        select
            sum(loads.rows_loaded) as run_count,
            sum(loads.rows_loaded) filter (
                where
                    loads.load_id <= (select built_load_id from last_build)
            ) as run_count_then,
            (select seconds from last_build) as seconds
        from raw_evals.loads as loads
    ),

    estimated as (
        select
            coalesce(run_count, 0) as run_count,
            coalesce(
                seconds * greatest(run_count / nullif(run_count_then, 0), 1),
                60 + run_count / 3000.0,
                60
            ) as seconds,
            case
                when seconds is null
                    then 'a usual rate'
                else 'the last full build'
            end as source
        from counted
    )

    select
        format(
            '. That may take %s, an estimate by %s for %s runs',
            case
                when seconds < 90
                    then ceil(seconds / 10) * 10 || ' s'
                else ceil(seconds / 60) || ' min'
            end,
            source,
            trim(to_char(run_count, '999,999,999,990'))
        ) as duration
    from estimated
{% endmacro %}
