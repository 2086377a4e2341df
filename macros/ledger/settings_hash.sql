{#
    Hash of everything but raw rows that a model's rows depend on: vars, the
    contents of seeds, and, through their own hashes, those of its parents.
#}
{% macro settings_hash(node) -%}
    {%- set texts = ["''"] -%}
    {%- set inputs = build_inputs(node) -%}
    {%- for setting in node.config.meta.settings | default([]) -%}
        {%- set text = setting ~ '=' ~ var(setting) ~ ';' -%}
        {%- do texts.append("'" ~ text.replace("'", "''") ~ "'") -%}
    {%- endfor -%}
    {%- for seed in inputs.seeds -%}
        {%- do texts.append(seed_text(seed)) -%}
    {%- endfor -%}
    {%- for parent in inputs.parents -%}
        {%- do texts.append(settings_hash_of(parent)) -%}
    {%- endfor -%}
    md5({{ texts | join(' || ') }})
{%- endmacro %}


{% macro seed_text(seed) -%}
    (
        select
            coalesce(
                string_agg(
                    seed_rows::text, ';' order by seed_rows::text collate "C"
                ),
                ''
            )
        from {{ seed }} as seed_rows
    )
{%- endmacro %}


{% macro settings_hash_of(model) -%}
    coalesce(
        (
            select watermarks.settings_hash
            from {{ build_watermarks() }} as watermarks
            where watermarks.model = '{{ model }}'
        ),
        ''
    )
{%- endmacro %}
