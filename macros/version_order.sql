{# The order of versions, oldest first; needs version_anchor. #}
{% macro version_order(direction='asc') -%}
    version_anchor collate "C" {{ direction }},
    (version_sort_key is null) {{ direction }},
    first_seen_at {{ direction }},
    extension_version collate "C" {{ direction }}
{%- endmacro %}

{#
    The sort key of every label of a CTE, each computed once: agents and groups
    share their versions' labels.
#}
{% macro version_sort_keys(relation) -%}
    select
        labels.extension_version,
        {{ function('version_sort_key') }}(labels.extension_version)
            as version_sort_key
    from (select distinct extension_version from {{ relation }}) as labels
{%- endmacro %}
