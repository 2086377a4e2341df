{# The order of versions, oldest first; needs version_anchor. #}
{% macro version_order(direction='asc') -%}
    version_anchor collate "C" {{ direction }},
    (version_sort_key is null) {{ direction }},
    first_seen_at {{ direction }},
    extension_version collate "C" {{ direction }}
{%- endmacro %}
