{#
    Opens a build of an incremental model, in the transaction that builds it:
    fixes the load up to which it reads and lists the experiments to replace.

    What it reads is asked of dbt's graph (build_inputs). Its target is what the
    incremental models among them are built to, so a build of some models only,
    or one that failed half-way, leaves nothing out; without any it is the
    latest load. When a seed changes, or one of the vars that the model names in
    its meta as `settings`, here or in a parent, every experiment is replaced.

    include_linked: whether a change in the experiment that supplies the
        control arm counts as a change.

    The update locks the model's row, so builds of one model queue up. Load ids
    become visible in order, so everything up to the target is visible here.
#}
{% macro start_build(include_linked=false) %}
    {% set watermarks = build_watermarks() %}
    {% set is_full = not is_incremental() %}
    {% set parents = build_inputs(model).parents %}
    {# named here, so that dbt sees them whichever branch is taken #}
    {% set experiment_changes = ref('int_experiment_changes') %}
    {% set loads = ref('stg_loads') %}

    -- whatever the size of what changed: the planner takes any array for ten
    -- experiments of the usual size, and would loop over the tasks of a large one
    {{ join_by_hash() }};

    insert into {{ watermarks }} (model) values ('{{ this.identifier }}')
    on conflict (model) do nothing;

    update {{ watermarks }}
    set
        build_number = build_number + 1,
        started_at = clock_timestamp(),
        target_load_id = (
            {% if parents %}
                select coalesce(min(parents.built_load_id), 0)
                from {{ watermarks }} as parents
                where parents.model in ('{{ parents | join("', '") }}')
            {% else %}
                select coalesce(max(loads.load_id), 0)
                from {{ loads }} as loads
            {% endif %}
        ),
        target_settings_hash = {{ settings_hash(model) }}
    where model = '{{ this.identifier }}';

    update {{ watermarks }}
    set
        {% if is_full %}
            full_build_number = build_number,
        {% endif %}
        from_load_id = case
            when settings_hash = target_settings_hash then built_load_id
            else 0
        end
    where model = '{{ this.identifier }}';

    {% if is_full %}
        delete from {{ build_changes() }} where model = '{{ this.identifier }}';
    {% else %}
        insert into {{ build_changes() }} (model, build_number, experiment_id)
        select distinct
            watermarks.model,
            watermarks.build_number,
            changes.experiment_id
        from {{ watermarks }} as watermarks
        inner join {{ experiment_changes }} as changes
            on
                watermarks.from_load_id < changes.load_id
                and watermarks.target_load_id >= changes.load_id
        where
            watermarks.model = '{{ this.identifier }}'
            {% if not include_linked %}
                and changes.is_direct
            {% endif %}
    {% endif %}
{% endmacro %}
