{#
    For a model that reads whole tables: the planner takes joins over several
    columns of text for a handful of rows, and would loop over them, or merge
    them by the first column alone; either lasts for hours where hashing takes
    seconds. Compiling takes longer than these plans run.
#}
{% macro join_by_hash() -%}
    set local enable_nestloop = off;
    set local enable_mergejoin = off;
    set local jit = off
{%- endmacro %}
