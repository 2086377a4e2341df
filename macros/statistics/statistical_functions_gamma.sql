{#
    The gamma and beta functions, as logarithms. One rule everywhere: an argument
    that is null, NaN or outside of the domain gives null, never an error.
#}
{% macro statistical_functions_gamma(schema) %}

create or replace function {{ schema }}.stirling_error(x float8)
returns float8
language plpgsql immutable parallel safe strict
as $function$
declare
    shifted float8 := x;
    product float8 := 1;
    adjustment float8 := 0;
    z float8;
begin
    if x < 10 then
        -- gamma(x) = gamma(x + m) / (x (x + 1) ... (x + m - 1))
        while shifted < 10 loop
            product := product * shifted;
            shifted := shifted + 1;
        end loop;
        adjustment := (shifted - 0.5) * ln(shifted) - (x - 0.5) * ln(x)
            - (shifted - x) - ln(product);
    elsif x > 1e150 then
        return case when x > 1e300 then 0 else 8.333333333333333333e-2 / x end;
    end if;
    z := 1 / (shifted * shifted);
    return adjustment + (8.333333333333333333e-2 - z * (2.777777777777777778e-3
        - z * (7.936507936507936508e-4 - z * (5.952380952380952381e-4
        - z * (8.417508417508417508e-4 - z * (1.917526917526917527e-3
        - z * (6.410256410256410256e-3 - z * 2.955065359477124183e-2)))))))
        / shifted;
end
$function$;
comment on function {{ schema }}.stirling_error(float8) is
'ln gamma(x) - ((x - 1/2) ln x - x + ln(2 pi)/2), for x in [1e-300, 1e308]: Stirling series above 10, recurrence below.';

create or replace function {{ schema }}.log_gamma(x float8)
returns float8
language plpgsql immutable parallel safe strict
as $function$
begin
    if x = 'NaN'::float8 or x < 0 then
        return null;
    elsif x = 0 or x > 2.5e305 then
        return 'Infinity';
    elsif x < 1e-20 then
        return -ln(x);
    elsif x < 1 then
        return {{ schema }}.log_gamma(x + 1) - ln(x);
    end if;
    return (x - 0.5) * ln(x) - x + 0.91893853320467274178
        + {{ schema }}.stirling_error(x);
end
$function$;
comment on function {{ schema }}.log_gamma(float8) is
'ln gamma(x) for x >= 0 (infinite at 0). scipy.special.gammaln.';

create or replace function {{ schema }}.log_beta(a float8, b float8)
returns float8
language plpgsql immutable parallel safe strict
as $function$
declare
    p float8 := least(a, b);
    q float8 := greatest(a, b);
    correction float8 := 0;
begin
    if q = 'NaN'::float8 or p < 0 then
        return null;
    elsif p < 1e-300 then
        return case when p = 0 then 'Infinity'::float8 else -ln(p) end;
    elsif q > 1e300 then
        return case
            when p > 1e290 then -1.7976931348623157e308
            else {{ schema }}.log_gamma(p) - p * ln(least(q, 1.7e308))
        end;
    end if;
    -- B(p, q) = B(p + 1, q) (p + q) / p
    if p < 1 then
        correction := ln(p + q) - ln(p);
        p := p + 1;
    end if;
    if q < p then
        correction := correction + ln(p + q) - ln(q);
        q := q + 1;
    end if;
    return correction + 0.91893853320467274178 - 0.5 * ln(p)
        + {{ schema }}.stirling_error(p) + {{ schema }}.stirling_error(q)
        - {{ schema }}.stirling_error(p + q)
        - p * ({{ schema }}.log1p(p / q) - ln(p / q))
        - (q - 0.5) * {{ schema }}.log1p(p / q);
end
$function$;
comment on function {{ schema }}.log_beta(float8, float8) is
'ln B(a, b) by Stirling errors, without cancellation when one argument is large. scipy.special.betaln.';

create or replace function {{ schema }}.deviance_part(
    x float8, mean float8, difference float8
)
returns float8
language plpgsql immutable parallel safe strict
as $function$
declare
    v float8;
    term float8;
    total float8;
    previous float8;
    index int := 1;
begin
    if abs(difference) < 0.35 * (x + mean) then
        if abs(difference) < 1e-150 then
            return 0;
        end if;
        v := difference / (x + mean);
        if abs(v) < 1e-100 then
            return 0;
        end if;
        total := difference * v;
        if abs(v) < 1e-9 then
            return total;
        end if;
        term := 2 * x * v;
        v := v * v;
        loop
            if abs(term) < 1e-250 then
                return total;
            end if;
            term := term * v;
            previous := total;
            total := total + term / (2 * index + 1);
            exit when total = previous or index > 1000;
            index := index + 1;
        end loop;
        return total;
    end if;
    if least(x, mean) > 1e-140 and greatest(x, mean) < 1e140 then
        return x * ln(x / mean) - difference;
    end if;
    return x * (ln(x) - ln(greatest(mean, 1e-300))) - difference;
end
$function$;
comment on function {{ schema }}.deviance_part(float8, float8, float8) is
'x ln(x/m) + m - x, with x - m given: C. Loader (2000), Fast and accurate computation of binomial probabilities.';

{% endmacro %}
