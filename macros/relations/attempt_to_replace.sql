{#
    The block that replaces a relation, or gives up and rests for a moment; see
    replace_relation. Its answer is the setting evalmart.replaced, a JSON object.

    A view that cannot be made again (its column is gone) is left out, as are views
    of other people that this role may not make; the ledger forgets those that were
    made again, so that the build looks at what their own models say now.
#}
{% macro attempt_to_replace(relation, replacement, in_place='') -%}
do $attempt$
declare
    target constant regclass := '{{ relation }}'::regclass;
    usual_timeout constant text := current_setting('lock_timeout');
    deadline constant timestamptz := clock_timestamp() + (
        select setting::integer * interval '0.5 ms'
        from pg_settings
        where name = 'deadlock_timeout'
    );
    in_place constant text := $evalmart${{ in_place }}$evalmart$;
    replacement constant text := $evalmart${{ replacement }}$evalmart$;
    columns_before constant text[] := array(
        select attname || ' ' || atttypid
        from pg_attribute
        where attrelid = target and attnum > 0 and not attisdropped
        order by attnum
    );
    own_grants text[];
    dependents jsonb;
    dependent jsonb;
    step text;
    is_done boolean := false;
    left_out text[] := '{}';
begin
    begin
        -- one at a time: what another thread replaces, no catalogue can tell
        {{ with_time_left() }};
        lock table {{ built_relations() }} in share row exclusive mode;
        own_grants := {{ grants_of('target', "'" ~ relation ~ "'") }};
        dependents := {{ dependent_views('target') }};

        if in_place != '' then
            begin
                {{ with_time_left() }};
                execute in_place;
                is_done := true;
            exception when invalid_table_definition or wrong_object_type then
                null;  -- other columns
            end;
        end if;

        if is_done then
            delete from {{ built_relations() }} as built
            using pg_class as relations
            where
                relations.oid = built.relation_oid
                and columns_before != array(
                    select attname || ' ' || atttypid
                    from pg_attribute
                    where attrelid = target and attnum > 0 and not attisdropped
                    order by attnum
                )
                and dependents @> jsonb_build_array(
                    jsonb_build_object('oid', relations.oid::text)
                );
        else
            for dependent in
                select value from jsonb_array_elements(dependents) order by (value ->> 'depth')::integer desc
            loop
                if (dependent ->> 'is_ours')::boolean then
                    {{ with_time_left() }};
                    execute dependent ->> 'drop';
                end if;
            end loop;
            foreach step in array array[{{ how_to_drop('target') }}, replacement] || own_grants loop
                {{ with_time_left() }};
                execute step;
            end loop;
            for dependent in
                select value from jsonb_array_elements(dependents) order by (value ->> 'depth')::integer asc
            loop
                begin
                    for step in select jsonb_array_elements_text(dependent -> 'steps') loop
                        {{ with_time_left() }};
                        execute step;
                    end loop;
                exception
                    when lock_not_available then
                        raise;
                    when others then
                        left_out := left_out || (dependent ->> 'name');
                end;
            end loop;
            delete from {{ built_relations() }} as built
            where
                dependents @> jsonb_build_array(
                    jsonb_build_object('oid', built.relation_oid::text)
                );
        end if;
        perform
            set_config('lock_timeout', usual_timeout, true),
            set_config(
                'evalmart.replaced',
                jsonb_build_object('is_done', true, 'left_out', left_out)::text,
                true
            );
    exception when lock_not_available then
        perform set_config(
            'evalmart.replaced',
            jsonb_build_object('is_done', false, 'readers', {{ readers_of('target') }})::text,
            true
        );
        perform pg_sleep(0.05 + random() / 10);
    end;
end
$attempt$
{%- endmacro %}
