{#
    A subquery of one cell: the views that read a relation, themselves or by way
    of others, as a JSON array of objects: `oid`, `name`, `depth` (1 reads the
    relation itself), `is_ours` (this role may drop it), `drop`, and `steps`, the
    statements that make it again with owner, comments, grants and indexes.

    relation_oid: an expression.
#}
{% macro dependent_views(relation_oid) -%}
(
    with recursive found as (
        select
            {{ relation_oid }}::oid as view_oid,
            0 as depth
        union distinct
        select
            rules.ev_class,
            found.depth + 1
        from found
        inner join pg_depend as reads
            on
                reads.refclassid = 'pg_class'::regclass
                and found.view_oid = reads.refobjid
                and reads.classid = 'pg_rewrite'::regclass
        inner join pg_rewrite as rules
            on reads.objid = rules.oid
        where rules.ev_class != found.view_oid
    ),

    views as (
        select
            relations.oid,
            relations.relname,
            relations.relowner,
            relations.reloptions,
            schemas.nspname as schema_name,
            max(found.depth) as depth,
            format('%I.%I', schemas.nspname, relations.relname) as view_name,
            case relations.relkind when 'm' then 'materialized view' else 'view' end
                as what
        from found
        inner join pg_class as relations
            on found.view_oid = relations.oid
        inner join pg_namespace as schemas
            on relations.relnamespace = schemas.oid
        where found.depth > 0 and relations.relkind in ('v', 'm')
        group by relations.oid, schemas.nspname
    )

    select
        coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'oid', oid::text,
                    'name', schema_name || '.' || relname,
                    'depth', depth,
                    'is_ours', pg_has_role(relowner, 'usage'),
                    'drop', format('drop %s if exists %s cascade', what, view_name),
                    'steps',
                    jsonb_build_array(
                        format(
                            'create %s %s%s as %s',
                            what,
                            view_name,
                            ' with (' || array_to_string(reloptions, ', ') || ')',
                            pg_get_viewdef(oid)
                        )
                    )
                    || to_jsonb({{ indexes_of('views.oid') }})
                    || to_jsonb({{ comments_of('views.oid', 'what', 'view_name') }})
                    || to_jsonb({{ grants_of('views.oid', 'view_name') }})
                    || case
                        when relowner = current_user::regrole then '[]'::jsonb
                        else
                            to_jsonb(
                                format(
                                    'alter %s %s owner to %s', what, view_name, relowner::regrole
                                )
                            )
                    end
                )
            ),
            '[]'
        )
    from views
)
{%- endmacro %}


{% macro indexes_of(relation_oid) -%}
    array(
        select pg_get_indexdef(indexes.indexrelid)
        from pg_index as indexes
        where indexes.indrelid = {{ relation_oid }}
    )
{%- endmacro %}


{% macro comments_of(relation_oid, what, relation_name) -%}
    array(
        select
            case comments.objsubid
                when 0
                    then
                        format(
                            'comment on %s %s is %L',
                            {{ what }},
                            {{ relation_name }},
                            comments.description
                        )
                else
                    format(
                        'comment on column %s.%I is %L',
                        {{ relation_name }},
                        columns.attname,
                        comments.description
                    )
            end
        from pg_description as comments
        left join pg_attribute as columns
            on
                comments.objoid = columns.attrelid
                and comments.objsubid = columns.attnum
        where
            comments.classoid = 'pg_class'::regclass
            and comments.objoid = {{ relation_oid }}
    )
{%- endmacro %}


{# The statements that grant what others than the owner have of a relation. #}
{% macro grants_of(relation_oid, relation_name) -%}
    array(
        select
            format(
                'grant %s%s on %s to %s%s',
                grants.privilege_type,
                ' (' || quote_ident(given.attname) || ')',
                {{ relation_name }},
                case grants.grantee when 0 then 'public' else grants.grantee::regrole::text end,
                case when grants.is_grantable then ' with grant option' end
            )
        from (
            select
                null::name as attname,
                relations.relowner,
                relations.relacl as acl
            from pg_class as relations
            where relations.oid = {{ relation_oid }}
            union all
            select
                columns.attname,
                relations.relowner,
                columns.attacl
            from pg_attribute as columns
            inner join pg_class as relations
                on columns.attrelid = relations.oid
            where columns.attrelid = {{ relation_oid }} and columns.attacl is not null
        ) as given
        cross join lateral aclexplode(given.acl) as grants
        where grants.grantee != given.relowner
    )
{%- endmacro %}


{# The statement that drops a relation of any kind, and what hangs on it. #}
{% macro how_to_drop(relation_oid) -%}
(
    select
        format(
            'drop %s %I.%I cascade',
            case relations.relkind
                when 'v' then 'view'
                when 'm' then 'materialized view'
                else 'table'
            end,
            schemas.nspname,
            relations.relname
        )
    from pg_class as relations
    inner join pg_namespace as schemas
        on relations.relnamespace = schemas.oid
    where relations.oid = {{ relation_oid }}
)
{%- endmacro %}


{#
    Who holds a lock of a relation or of a view that reads it, in words; null where
    nobody does.
#}
{% macro readers_of(relation_oid) -%}
(
    select
        string_agg(
            distinct concat_ws(
                ' ',
                sessions.usename,
                nullif(sessions.application_name, ''),
                '(process ' || sessions.pid || coalesce(' on ' || sessions.client_addr, '') || ')',
                'since ' || to_char(sessions.xact_start, 'YYYY-MM-DD HH24:MI:SS TZ')
            ),
            ', '
        )
    from pg_locks as locks
    inner join pg_stat_activity as sessions
        on locks.pid = sessions.pid
    where
        locks.locktype = 'relation'
        and locks.granted
        and locks.pid != pg_backend_pid()
        and locks.database = (select oid from pg_database where datname = current_database())
        and (
            locks.relation = {{ relation_oid }}
            or dependents @> jsonb_build_array(jsonb_build_object('oid', locks.relation::text))
        )
)
{%- endmacro %}


{# Lets the next statement wait for locks as long as is left of an attempt. #}
{% macro with_time_left() -%}
perform set_config(
    'lock_timeout',
    greatest(1, extract(epoch from deadline - clock_timestamp()) * 1000)::integer || 'ms',
    true
)
{%- endmacro %}
