{#
    Hash of everything but raw rows that a model's rows depend on: vars, the
    contents of seeds, and, through their own hashes, those of its parents.
#}
{% macro settings_hash(parents, seeds, settings) -%}
    {%- set texts = ["''"] -%}
    {%- for setting in settings -%}
        {%- set text = setting ~ '=' ~ var(setting) ~ ';' -%}
        {%- do texts.append("'" ~ text.replace("'", "''") ~ "'") -%}
    {%- endfor -%}
    {%- for seed in seeds -%}
        {%- do texts.append(seed_text(ref(seed))) -%}
    {%- endfor -%}
    {%- for parent in parents -%}
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
