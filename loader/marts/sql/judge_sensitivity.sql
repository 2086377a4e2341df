-- Which bias of its judge would turn the verdict, of the deciding score: the
-- rule is asked between every two biases at which one of its conditions flips.
with

readings as (
    select
        comparisons.metric,
        comparisons.improvement as gain,
        comparisons.improvement_error as error,
        comparisons.effective_clusters - 1 as degrees_of_freedom,
        comparisons.improvement_margin as margin,
        least(
            coalesce(
                comparisons.improvement_missing_as_zero
                - comparisons.improvement,
                0
            ),
            0
        ) as gap_low,
        greatest(
            coalesce(
                comparisons.improvement_missing_as_zero
                - comparisons.improvement,
                0
            ),
            0
        ) as gap_high
    from {experiment_metric_comparisons} as comparisons
    where
        comparisons.experiment_id = %(experiment_id)s
        and comparisons.candidate_group = %(candidate_group)s
        and comparisons.candidate_version = %(candidate_version)s
        and comparisons.role = 'deciding'
        and comparisons.kind = 'score'
        and comparisons.improvement_error > 0
        and comparisons.effective_clusters > 1
),

tested as (
    select
        *,
        error * {functions}.student_t_ppf(
            1 - %(alpha)s::float8 / 2, degrees_of_freedom
        ) as proven,
        error * {functions}.student_t_ppf(
            1 - %(kept_level)s::float8, degrees_of_freedom
        ) as kept
    from readings
),

-- where a condition of the rule flips: better, lost, worse in either reading,
-- kept, proven kept; and the ends of what a bias can be
flips as (
    select distinct
        tested.*,
        biases.bias
    from tested
    cross join
        lateral (
            values
            (gain + gap_low - proven),
            (gain),
            (gain + gap_high + proven),
            (gain + gap_low + proven),
            (gain + gap_low + margin - kept),
            (gain + gap_low + margin - proven),
            (-1::float8),
            (1::float8)
        ) as biases (bias)
    where biases.bias between -1 and 1
),

stretches as (
    select
        *,
        lead(bias) over (order by bias) as bias_end
    from flips
),

tried as (
    select
        stretches.*,
        judged.recommendation
    from stretches
    cross join
        lateral {judge}(
            %(experiment_id)s,
            jsonb_build_object(
                'parts', false,
                'readings',
                jsonb_build_array(
                    jsonb_build_object(
                        'candidate_group', %(candidate_group)s::text,
                        'candidate_version', %(candidate_version)s::text,
                        'metric', metric,
                        'improvement', gain - (bias + bias_end) / 2,
                        'improvement_error', error,
                        'degrees_of_freedom', degrees_of_freedom,
                        'missing_gap_low', gap_low,
                        'missing_gap_high', gap_high
                    )
                )
            )
        ) as judged
    where
        stretches.bias_end > stretches.bias
        and judged.candidate_group = %(candidate_group)s
        and judged.candidate_version = %(candidate_version)s
        and judged.segment = ''
),

-- a rule that says otherwise of the reading as it is goes by what has no bias
unlike as (
    select
        bool_or(
            bias < 0 and bias_end > 0
            and recommendation != %(recommendation)s
        ) as is_unlike
    from tried
),

nearest_above as (
    select
        recommendation,
        bias
    from tried
    where bias >= 0 and recommendation != %(recommendation)s
    order by bias
    limit 1
),

nearest_below as (
    select
        recommendation,
        bias_end as bias
    from tried
    where bias_end <= 0 and recommendation != %(recommendation)s
    order by bias_end desc
    limit 1
),

turns as (
    select * from nearest_above
    union all
    select * from nearest_below
)

select
    readings.metric,
    %(recommendation)s::text as recommendation,
    turns.recommendation as turned_recommendation,
    turns.bias as turning_bias,
    case
        when unlike.is_unlike then 'not_by_this_reading'
        when turns.bias is null then 'no_bias'
    end as note
from readings
cross join unlike
left join turns
    on not unlike.is_unlike
order by abs(turns.bias), turns.bias desc
