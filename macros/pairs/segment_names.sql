-- sqlfluff:exclude_rules:LT02
{#
    What segments are called, from the labels of a task: one value, or an array
    of them. A segment stands in an index entry: a longer name is cut, and told
    from others by its hash.
#}
{% macro segment_name(kind, name) -%}
{{ kind }} || ':'
        || case
            when octet_length({{ name }}) <= 300 then {{ name }}
            else left({{ name }}, 60) || '… ' || md5({{ name }})
        end
{%- endmacro %}

{# A label's names, in order: relation `names`, columns name and place. #}
{% macro label_names(label) -%}
jsonb_array_elements_text(
        case jsonb_typeof({{ label }})
            when 'array' then {{ label }}
            when 'string' then jsonb_build_array({{ label }})
            when 'number' then jsonb_build_array({{ label }})
            when 'boolean' then jsonb_build_array({{ label }})
            else '[]'
        end
    ) with ordinality as names (name, place)
{%- endmacro %}

{# The first hundred count, so that no task makes a million segments. #}
{% macro is_segment_name() -%}
names.name != '' and names.place <= 100
{%- endmacro %}
