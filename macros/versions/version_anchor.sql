{#
    Where a version stands among others, first of the two terms of their order:
    its own sort key, or, for a label that is no version number, the highest
    sort key seen up to the time the label was first seen. Version numbers are
    thus in semantic order whenever they were recorded, and other labels stand
    where time puts them. Needs version_sort_key and first_seen_at.
#}
{% macro version_anchor(partition_by) -%}
    coalesce(
        version_sort_key collate "C",
        max(version_sort_key collate "C") over (
            partition by {{ partition_by }}
            order by first_seen_at
        ),
        ''
    )
{%- endmacro %}
