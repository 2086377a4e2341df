{# The difference of two proportions measured on the same tasks. #}
{% macro statistical_functions_paired_proportions(schema) %}

create or replace function {{ schema }}.tango_score(
    b float8, c float8, n float8, delta float8
)
returns float8
language plpgsql immutable parallel safe strict
as $function$
declare
    linear float8;
    intercept float8;
    root float8;
    estimate float8;
    variance float8;
    excess float8;
begin
    if not (b >= 0 and c >= 0 and n >= 1e-9 and n < 1e100 and b + c <= n
        and delta >= -1 and delta <= 1)
    then
        return null;
    elsif delta < 0 then
        -- by symmetry: the cancelling root below is then never needed
        return -{{ schema }}.tango_score(c, b, n, -delta);
    end if;
    b := case when b < 1e-50 then 0 else b end;
    c := case when c < 1e-50 then 0 else c end;
    delta := case when delta < 1e-50 then 0 else delta end;
    -- the constrained maximum-likelihood share q of c solves
    -- 2 n q^2 + linear q + intercept = 0
    linear := (2 * n - b + c) * delta - b - c;
    intercept := -c * delta * (1 - delta);
    root := sqrt(greatest(0, linear * linear - 8 * n * intercept));
    if linear > 0 then
        estimate := {{ schema }}.safe_divide(-2 * intercept, linear + root);
    else
        estimate := (root - linear) / (4 * n);
    end if;
    variance := n * (2 * estimate + delta * (1 - delta));
    excess := b - c - n * delta;
    if variance <= 0 then
        return case
            when excess > 0 then 'Infinity'::float8
            when excess < 0 then '-Infinity'
            else 0
        end;
    end if;
    return {{ schema }}.safe_divide(excess, sqrt(variance));
end
$function$;
comment on function {{ schema }}.tango_score(float8, float8, float8, float8) is
'Score statistic of H0: p_candidate - p_baseline = delta for paired 0/1 results; b and c are the tasks that only the candidate or only the baseline solves, n the pairs. T. Tango (1998), Statistics in Medicine 17.';

create or replace function {{ schema }}.tango_p_value(
    b float8, c float8, n float8, delta float8
)
returns float8
language sql immutable parallel safe
as $function$
    select {{ schema }}.normal_sf({{ schema }}.tango_score(b, c, n, delta))
$function$;
comment on function {{ schema }}.tango_p_value(float8, float8, float8, float8) is
'One-sided p-value of H0: p_candidate - p_baseline <= delta for paired 0/1 results: the normal upper tail of the score of Tango (1998).';

create or replace function {{ schema }}.tango_bound(
    b float8, c float8, n float8, z float8
)
returns float8
language plpgsql immutable parallel safe strict
as $function$
declare
    low float8 := -1;
    high float8 := (b - c) / n;
    -- the score falls as delta grows; it is 0 at the estimate
    low_excess float8 := 'Infinity';
    high_excess float8 := -z;
    middle float8;
    previous float8;
    excess float8;
    side int := 0;
begin
    for iteration in 1 .. 100 loop
        previous := middle;
        if low_excess < 1e100 and low_excess > high_excess then
            middle := low + (high - low) * (low_excess / (low_excess - high_excess));
            exit when abs(middle - previous) <= 1e-16 * abs(middle);
        else
            middle := low;
        end if;
        if middle <= low or middle >= high then
            middle := (low + high) / 2;
            exit when middle = low or middle = high or high - low <= 1e-17;
        end if;
        excess := {{ schema }}.tango_score(b, c, n, middle) - z;
        -- an end that stays twice counts half: it would stay forever
        if excess > 0 then
            low := middle;
            low_excess := excess;
            high_excess := case when side > 0 then 0.5 else 1 end * high_excess;
            side := 1;
        else
            high := middle;
            high_excess := excess;
            low_excess := case when side < 0 then 0.5 else 1 end * low_excess;
            side := -1;
        end if;
    end loop;
    return middle;
end
$function$;
comment on function {{ schema }}.tango_bound(float8, float8, float8, float8) is
'The delta below the estimate at which the score of Tango reaches z: false position, by the Illinois rule (M. Dowell, P. Jarratt 1971, BIT 11), and bisection where that has no step.';

create or replace function {{ schema }}.tango_lower(
    b float8, c float8, n float8, alpha float8
)
returns float8
language plpgsql immutable parallel safe strict
as $function$
begin
    if not (b >= 0 and c >= 0 and n >= 0 and n < 1e100 and b + c <= n
        and alpha > 0 and alpha < 1)
    then
        return null;
    elsif n < 1e-9 then
        return -1;
    elsif c = n then
        return -1;
    end if;
    return {{ schema }}.tango_bound(
        b, c, n, -{{ schema }}.normal_ppf(greatest(alpha, 1e-300) / 2)
    );
end
$function$;
comment on function {{ schema }}.tango_lower(float8, float8, float8, float8) is
'Lower bound of the two-sided 1 - alpha score interval of p_candidate - p_baseline (Tango 1998); -1 without pairs.';

create or replace function {{ schema }}.tango_upper(
    b float8, c float8, n float8, alpha float8
)
returns float8
language sql immutable parallel safe
as $function$
    select -{{ schema }}.tango_lower(c, b, n, alpha)
$function$;
comment on function {{ schema }}.tango_upper(float8, float8, float8, float8) is
'Upper bound of the two-sided 1 - alpha score interval of p_candidate - p_baseline (Tango 1998); 1 without pairs.';

{% endmacro %}
