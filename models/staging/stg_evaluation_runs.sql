{#
    What rows of before the bounds of 0.3 hold beyond them, or what a role has
    inserted by hand, must not end a build: a number out of range is set aside,
    and what has another form than its column's is as if it were not there.
#}
{%- set numbers = {
    'latency_ms': largest_latency(),
    'tokens_used': largest_tokens(),
    'cost_usd': largest_cost(),
    'prompt_tokens': largest_tokens(),
    'completion_tokens': largest_tokens(),
    'cached_tokens': largest_tokens(),
    'reasoning_tokens': largest_tokens(),
} -%}
{%- set too_large = "'$.* ? (@ > " ~ largest_number() | trim ~ " || @ < -"
    ~ largest_number() | trim ~ ")'" -%}
with

source as (
    select
        *,
        (
            {% for name, largest in numbers.items() -%}
                {{ name }} not between 0 and {{ largest }}
                {{ 'or ' if not loop.last }}
            {%- endfor %}
            or jsonb_path_exists(measurements, {{ too_large }})
        ) is true as has_off_values
    from {{ source('raw_evals', 'evaluation_runs') }}
    {% if var('as_of') %}
        where
            experiment_id in (
                select asked.experiment_id
                from {{ as_of_experiments() }} as asked
            )
    {% endif %}
),

renamed as (
    select
        experiment_id,
        source,
        source_run_id,
        content_hash,
        task_id,
        experiment_group,
        extension_version,
        model_version,
        agent_name,
        dataset_version,
        baseline_experiment_id,
        error_message,
        run_version,
        -- what named neither run nor repetition says in its id which it was;
        -- the first of a hashed id says nothing
        case
            when not is_id_derived or is_id_derived is null then repetition
            else
                coalesce(
                    substring(source_run_id from '[,#]([0-9]{1,9})]?$')
                    ::integer,
                    1
                )
        end as repetition,
        case
            when latency_ms between 0 and {{ largest_latency() }}
                then latency_ms
        end as latency_ms,
        case
            when tokens_used between 0 and {{ largest_tokens() }}
                then tokens_used
        end as tokens_used,
        case
            when cost_usd between 0 and {{ largest_cost() }} then cost_usd
        end as cost_usd,
        load_id,
        success,
        case when jsonb_typeof(scores) = 'object' then scores else '{}' end
            as scores,
        case when jsonb_typeof(labels) = 'object' then labels end as labels,
        case
            when jsonb_typeof(measurements) != 'object' then '{}'
            when not has_off_values then measurements
            else
                measurements
                - array(
                    select taken.metric
                    from
                        jsonb_each(source.measurements)
                            as taken (metric, measurement)
                    where
                        jsonb_path_exists(
                            jsonb_build_object('', taken.measurement),
                            {{ too_large }}
                        )
                )
        end as measurements,
        case
            when jsonb_typeof(evaluator_versions) = 'object'
                then evaluator_versions
            else '{}'
        end as evaluator_versions,
        feedback,
        case when jsonb_typeof(metadata) = 'object' then metadata else '{}' end
            as metadata,
        case
            when
                score_scales is null or jsonb_typeof(score_scales) = 'object'
                then score_scales
            else '{}'
        end as score_scales,
        case
            when not has_off_values
                then
                    case
                        when jsonb_typeof(set_aside) = 'object' then set_aside
                    end
            else
                coalesce(
                    case
                        when jsonb_typeof(set_aside) = 'object' then set_aside
                    end,
                    '{}'
                )
                || (
                    select
                        coalesce(
                            jsonb_object_agg(
                                odd_values.place, odd_values.number_set_aside
                            ),
                            '{}'
                        )
                    from (
                        {% for name, largest in numbers.items() -%}
                            select
                                '{{ name }}' as place,
                                to_jsonb({{ name }}) as number_set_aside
                            where
                                {{ name }} not between 0 and {{ largest }}
                            union all
                        {% endfor -%}
                        select
                            'measurements.' || taken.metric as place,
                            taken.measurement as number_set_aside
                        from
                            jsonb_each(
                                case
                                    when jsonb_typeof(measurements) = 'object'
                                        then measurements
                                    else '{}'
                                end
                            ) as taken (metric, measurement)
                        where
                            jsonb_path_exists(
                                jsonb_build_object('', taken.measurement),
                                {{ too_large }}
                            )
                    ) as odd_values
                )
        end as set_aside,
        case when jsonb_typeof(comments) = 'object' then comments end
            as comments,  -- noqa: RF04
        trace_url,
        inputs_id,
        outputs_id,
        reference_outputs_id,
        {% for name in numbers if name.endswith('_tokens') -%}
            case
                when {{ name }} between 0 and {{ largest_tokens() }}
                    then {{ name }}
            end as {{ name }},
        {% endfor -%}
        case
            when
                recorded_at >= '1970-01-01 00:00:00+00'
                and recorded_at < '2200-01-01 00:00:00+00'
                then recorded_at
        end as recorded_at,
        greatest(
            least(loaded_at, '2199-12-31 00:00:00+00'), '1970-01-01 00:00:00+00'
        ) as loaded_at
    from source
)

select * from renamed
