{#
    After a build of a model that is kept up by version: takes out the rows of
    versions, and of more columns, that the relation they were made of no longer
    has.
#}
{% macro delete_gone_versions(relation, more=[]) -%}
    delete from {{ this }} as built
    where not exists (
        select
        from {{ relation }} as wanted
        where {{ is_same_version('built', 'wanted', more) }}
    )
{%- endmacro %}
