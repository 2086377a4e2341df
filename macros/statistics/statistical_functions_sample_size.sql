{#
    How many tasks decide, when the results at hand stay and what they estimate
    is the truth: the mean of m tasks, n of them at hand, is then normal around
    the estimate with variance sd^2 (m - n) / m^2.
#}
{% macro statistical_functions_sample_size(schema) %}

create or replace function {{ schema }}.chance_to_decide(
    n float8,
    m float8,
    improvements float8[],
    deviations float8[],
    offsets float8[],
    slopes float8[],
    other_offsets float8[],
    other_slopes float8[],
    least_deviate float8
)
returns float8
language plpgsql immutable parallel safe
as $function$
declare
    root float8 := sqrt(m);
    root_of_rest float8 := sqrt(m - n);
    standard_error float8;
    excess float8;
    deviate float8;
    deviates float8[] := '{}';
    chance float8 := 1;
begin
    for metric in 1 .. cardinality(improvements) loop
        standard_error := deviations[metric] / root;
        -- greatest() passes over null
        excess := improvements[metric] - greatest(
            offsets[metric] + slopes[metric] * standard_error,
            other_offsets[metric] + other_slopes[metric] * standard_error
        );
        if standard_error = 0 then
            deviate := case when excess > 0 then 'Infinity'::float8 else '-Infinity' end;
        elsif abs(excess) < 1e-100 then
            deviate := 0;
        else
            deviate := excess * m / (deviations[metric] * root_of_rest);
        end if;
        -- a product is not above its least factor
        if deviate < least_deviate then
            return 0;
        end if;
        deviates[metric] := deviate;
    end loop;
    for metric in 1 .. cardinality(improvements) loop
        if deviates[metric] < 9 then
            chance := chance * {{ schema }}.normal_cdf(deviates[metric]);
        end if;
    end loop;
    return chance;
end
$function$;
comment on function {{ schema }}.chance_to_decide(
    float8, float8, float8[], float8[], float8[], float8[], float8[], float8[], float8
) is
'Chance that m tasks, n of them at hand, put every mean beyond its bound: prod Phi((i - c(m)) m / (sd sqrt(m - n))), c(m) = max(offset + slope sd / sqrt(m), the same of the others); 0 where one deviate is below the least. Called by required_tasks, with arguments in range.';

create or replace function {{ schema }}.required_tasks(
    n float8,
    improvements float8[],
    deviations float8[],
    offsets float8[],
    slopes float8[],
    other_offsets float8[],
    other_slopes float8[],
    power float8
)
returns bigint
language plpgsql immutable parallel safe
as $function$
declare
    count_of_metrics constant int := cardinality(improvements);
    -- 1.03^155 < 100 < 1.03^156, and 1.03^24 > 2
    last_step constant int := 155;
    single_steps int := 24;
    least_deviate float8;
    failed_step int;
    found_step int;
    step int;
    m float8;
begin
    if
        (n >= 1 and n < 1e13 and power > 0 and power < 1 and count_of_metrics > 0)
            is not true
        or cardinality(deviations) is distinct from count_of_metrics
        or cardinality(offsets) is distinct from count_of_metrics
        or cardinality(slopes) is distinct from count_of_metrics
        or cardinality(other_offsets) <> count_of_metrics
        or cardinality(other_slopes) <> count_of_metrics
    then
        return null;
    end if;
    for metric in 1 .. count_of_metrics loop
        if (
            abs(improvements[metric]) < 1e90
            and deviations[metric] >= 0 and deviations[metric] < 1e90
            and abs(offsets[metric]) < 1e90 and abs(slopes[metric]) < 1e90
            and abs(coalesce(nullif(other_offsets[metric], '-Infinity'), 0)) < 1e90
            and abs(coalesce(other_slopes[metric], 0)) < 1e90
        ) is not true then
            return null;
        end if;
        -- products of such numbers could underflow
        if deviations[metric] < 1e-90 then
            deviations[metric] := 0;
        end if;
        if abs(slopes[metric]) < 1e-90 then
            slopes[metric] := 0;
        end if;
        if abs(other_slopes[metric]) < 1e-90 then
            other_slopes[metric] := 0;
        end if;
        if slopes[metric] < 0 or other_slopes[metric] < 0 or power < 0.5 then
            single_steps := last_step;
        end if;
    end loop;
    least_deviate := {{ schema }}.normal_ppf(power);
    -- the first steps one by one; from 2 n on the chance grows with m where no
    -- bound rises, and the first step that is enough is found by halving
    failed_step := 0;
    found_step := last_step + 1;
    step := 1;
    while found_step - failed_step > 1 loop
        -- less the rounding noise of the power, so that 1.03 * 100 is 103
        m := ceil(
            n * power(1.03::float8, step) * (1 - {{ rounding_noise() }}::float8)
        );
        if {{ schema }}.chance_to_decide(
            n, m, improvements, deviations, offsets, slopes,
            other_offsets, other_slopes, least_deviate
        ) >= power then
            found_step := step;
        else
            failed_step := step;
        end if;
        step := case
            when failed_step < single_steps then failed_step + 1
            when found_step > last_step then last_step
            else (failed_step + found_step) / 2
        end;
    end loop;
    if found_step > last_step then
        return null;
    end if;
    return ceil(
        n * power(1.03::float8, found_step)
        * (1 - {{ rounding_noise() }}::float8)
    ) - n;
end
$function$;
comment on function {{ schema }}.required_tasks(
    float8, float8[], float8[], float8[], float8[], float8[], float8[], float8
) is
'Tasks beyond the n at hand after which chance_to_decide is at least power: the first m of n 1.03, n 1.03^2, ... 100 n, rounded up, less n; null where none is enough or anything is unknown. A null in other_offsets or other_slopes is no bound.';

{% endmacro %}
