{#
    The order of versions, oldest first; needs version_anchor. Versions of equal
    precedence (1.2.0+0b77e21, 1.2.0+fe0e167) stand in the order of time.
#}
{% macro version_order(direction='asc') -%}
    version_anchor collate "C" {{ direction }},
    first_seen_at {{ direction }},
    (version_sort_key is null) {{ direction }},
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

{#
    A label's sort key within its series. Where a label of the series is a
    commit's hash, one of digits only is taken for a hash too, even if it reads
    as a date: one hash in thirty has no letter among its first seven digits.
#}
{% macro version_sort_key_among(sort_key, label, partition_by) -%}
    case
        when
            not (
                {{ label }} ~ '^[0-9]{7,}$'
                and bool_or(
                    {{ label }} ~* '^[0-9a-f]{7,64}$'
                    and {{ label }} ~* '[a-f]'
                    and {{ label }} ~ '[0-9]'
                ) over (partition by {{ partition_by }})
            )
            then {{ sort_key }}
    end
{%- endmacro %}
