{#
    Statements that make a table's rows those of another: rows that are gone are
    deleted, new ones inserted, and what is the same to the byte stays as it is. No
    lock but that of any writer, so a reader sees the table as it was until the
    transaction ends, and as it is from then on.

    A row is told by a hash of all of it; of rows that are equal, by which it is.

    rows: a temporary table.
    columns: the names of those of both.
#}
{% macro refresh_rows(relation, rows, columns) -%}
    {% set changes = adapter.quote(rows.identifier ~ '_changes') %}
    create temporary table {{ changes }} on commit drop as
    with old_rows as (
        {{ numbered_rows(relation, columns) }}
    ),

    new_rows as (
        {{ numbered_rows(rows, columns) }}
    )

    select
        old_rows.place as old_place,
        new_rows.place as new_place
    from old_rows
    full join new_rows
        on
            old_rows.row_hash = new_rows.row_hash
            and old_rows.copy_number = new_rows.copy_number
    where old_rows.place is null or new_rows.place is null;

    delete from {{ relation }}
    where ctid = any(
        array(select old_place from {{ changes }} where old_place is not null)
    );

    insert into {{ relation }} ({{ quoted(columns) }})
    select {{ quoted(columns) }}
    from {{ rows }}
    where ctid = any(
        array(select new_place from {{ changes }} where new_place is not null)
    )
{%- endmacro %}


{% macro numbered_rows(relation, columns) -%}
    select
        place,
        row_hash,
        row_number() over (partition by row_hash) as copy_number
    from (
        select
            ctid as place,
            sha256(record_send(row({{ quoted(columns) }}))) as row_hash
        from {{ relation }}
    ) as hashed_rows
{%- endmacro %}


{% macro quoted(columns) -%}
    {% set names = [] %}
    {% for column in columns %}
        {% do names.append(adapter.quote(column)) %}
    {% endfor %}
    {{ return(names | join(', ')) }}
{%- endmacro %}
