-- sqlfluff:exclude_rules:LT02
{#
    Puts something else in the place of a relation that people read, in the
    transaction that is under way. Views that read the relation are taken along:
    dropped from the top, made again as they were with owner, comments and grants.
    Readers find the one or the other and never nothing.

    All of this has to lock what it replaces. It asks for the locks for less time
    than the server waits before it looks for deadlocks, gives back what it has
    when it cannot have all, and asks again: so it neither takes part in a deadlock
    nor keeps readers waiting behind it. Who is in the way is said after two
    seconds, unless it is this build's own thread, which replaces another one; after
    EVALMART_WAIT_SECONDS the build ends.

    replacement: the statement to run when the relation is gone.
    in_place: one to try before, which keeps relation and views; it may fail where
        columns change.
#}
{% macro replace_relation(relation, replacement, in_place='') %}
    {% set told = relation.schema ~ '.' ~ relation.identifier %}
    {% set limit = env_var('EVALMART_WAIT_SECONDS', '600') | float %}
    {% set progress = namespace(
        found={'is_done': false}, began=seconds_now(), said=0
    ) %}
    {# done, it holds its locks: of 90,000 turns 600 are left then, not all #}
    {% for turns in range(300) if not progress.found.is_done %}
        {% for attempt in range(300) %}
            {% if not progress.found.is_done %}
                {% set progress.found = try_to_replace(
                    relation, replacement, in_place
                ) %}
                {% set waited = seconds_now() - progress.began %}
                {% if progress.found.is_done %}
                    {% do say_what_is_gone(told, progress.found.left_out) %}
                {% elif waited >= limit %}
                    {% do exceptions.raise_compiler_error(
                        told ~ ' has to be replaced and was read for ' ~ (limit | int)
                        ~ ' seconds by '
                        ~ (progress.found.readers or 'another thread of this build')
                        ~ ': end that and build again, or give it longer '
                        ~ '(EVALMART_WAIT_SECONDS)'
                    ) %}
                {% elif (
                    progress.found.readers
                    and waited >= 2
                    and waited >= 2 * progress.said
                ) %}
                    {% do print(
                        'waiting to replace ' ~ told ~ ', which is read by '
                        ~ progress.found.readers
                    ) %}
                    {% set progress.said = waited %}
                {% endif %}
            {% endif %}
        {% endfor %}
    {% endfor %}
{% endmacro %}


{# Names views that could not be made again; the project's own come later. #}
{% macro say_what_is_gone(told, views) %}
    {% set own = [] %}
    {% for node in graph.nodes.values() if node.resource_type == 'model' %}
        {% do own.append(node.schema ~ '.' ~ node.alias) %}
    {% endfor %}
    {% for view in views if view not in own %}
        {% do print(
            view ~ ' is gone: what it reads of ' ~ told ~ ' has changed'
        ) %}
    {% endfor %}
{% endmacro %}


{% macro seconds_now() %}
    {{ return(modules.datetime.datetime.now().timestamp()) }}
{% endmacro %}


{# One attempt: `is_done`, with the views `left_out` or the `readers` met. #}
{% macro try_to_replace(relation, replacement, in_place) %}
    {% call statement('try_to_replace', fetch_result=True) %}
        {{ attempt_to_replace(relation, replacement, in_place) }};

        select current_setting('evalmart.replaced') as replaced
    {% endcall %}
    {{ return(fromjson(load_result('try_to_replace').data[0][0])) }}
{% endmacro %}
