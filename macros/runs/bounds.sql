{#
    What a record may hold, as `loader/records/bounds.py` and migration 0015
    have it; what older records hold beyond it does not count.
#}
{% macro largest_number() -%} 1e30 {%- endmacro %}


{% macro largest_latency() -%} 1e12 {%- endmacro %}


{% macro largest_cost() -%} 1e9 {%- endmacro %}


{% macro largest_tokens() -%} 1000000000000 {%- endmacro %}
