{#
    Bounds that hold at every look at once: the asymptotic confidence sequence
    of I. Waudby-Smith, D. Arbour, R. Sinha, E. Kennedy, A. Ramdas (2021),
    arXiv 2103.06476, Gaussian mixture, two-sided.
#}
{% macro statistical_functions_anytime(schema) %}

create or replace function {{ schema }}.confidence_sequence_rho(
    alpha float8, planned_n float8
)
returns float8
language sql immutable parallel safe
as $function$
    select
        case
            when
                alpha > 0 and alpha < 1
                and planned_n >= 1 and planned_n < 'Infinity'::float8
                then
                    sqrt(
                        (-2 * ln(alpha) + ln(1 - 2 * ln(alpha))) / planned_n
                    )
        end
$function$;
comment on function {{ schema }}.confidence_sequence_rho(float8, float8) is
'The mixture scale whose sequence is narrowest after planned_n tasks: sqrt((-2 ln alpha + ln(1 - 2 ln alpha)) / planned_n).';

create or replace function {{ schema }}.confidence_sequence_halfwidth(
    stddev float8, n float8, alpha float8, planned_n float8
)
returns float8
language plpgsql immutable parallel safe strict
as $function$
declare
    rho float8 := {{ schema }}.confidence_sequence_rho(alpha, planned_n);
    information float8;
    deviations float8;
begin
    if rho is null or not (stddev >= 0 and n >= 1)
        or stddev >= 'Infinity'::float8 or n >= 'Infinity'::float8
    then
        return null;
    end if;
    information := {{ schema }}.safe_multiply(n, rho);
    information := {{ schema }}.safe_multiply(information, rho);
    if information < 1e-300 or information > 1e300 then
        return null;
    end if;
    deviations := sqrt(
        2 * (1 + 1 / information) / n
        * (0.5 * {{ schema }}.log1p(information) - ln(alpha))
    );
    return {{ schema }}.safe_multiply(stddev, deviations);
end
$function$;
comment on function {{ schema }}.confidence_sequence_halfwidth(float8, float8, float8, float8) is
'Half the width of the 1 - alpha confidence sequence of a mean after n tasks: stddev sqrt(2 (n rho^2 + 1) / (n^2 rho^2) ln(sqrt(n rho^2 + 1) / alpha)).';

create or replace function {{ schema }}.confidence_sequence_p_value(
    estimate float8, stddev float8, n float8, alpha float8, planned_n float8
)
returns float8
language plpgsql immutable parallel safe strict
as $function$
declare
    rho float8 := {{ schema }}.confidence_sequence_rho(alpha, planned_n);
    information float8;
    score float8;
    log_p_value float8;
begin
    if rho is null or not (stddev >= 0 and n >= 1 and abs(estimate) < 'Infinity'::float8)
        or stddev >= 'Infinity'::float8 or n >= 'Infinity'::float8
    then
        return null;
    elsif stddev = 0 then
        return null;
    end if;
    information := {{ schema }}.safe_multiply(n, rho);
    information := {{ schema }}.safe_multiply(information, rho);
    if information < 1e-300 or information > 1e300 then
        return null;
    end if;
    score := {{ schema }}.safe_divide(estimate, stddev);
    score := {{ schema }}.safe_square(score);
    score := {{ schema }}.safe_divide(score, 1 + 1 / information);
    log_p_value := 0.5 * {{ schema }}.log1p(information)
        - {{ schema }}.safe_multiply(score, n / 2);
    return least(1, {{ schema }}.safe_exp(log_p_value));
end
$function$;
comment on function {{ schema }}.confidence_sequence_p_value(float8, float8, float8, float8, float8) is
'Anytime-valid p-value of a mean of 0: the alpha at which the confidence sequence (its rho fixed by alpha and planned_n) just excludes 0; null when stddev is 0.';

{% endmacro %}
