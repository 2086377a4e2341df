{#
    Arithmetic that PostgreSQL refuses: it raises on float underflow, on
    overflow, on division by zero, on ln(0) and on sqrt(negative), and one such
    row would stop a build.

    PostgreSQL puts the body of such a function where it is called, unless an
    argument is itself dear (a function, a formula): then each call is a query
    of its own, ten times as slow. So the callers give them variables.
#}
{% macro statistical_functions_arithmetic(schema) %}

create or replace function {{ schema }}.safe_exp(x float8)
returns float8
language sql immutable parallel safe
as $function$
    select
        case
            when x = 'NaN'::float8 then null
            when x < -708 then 0::float8
            when x > 709.78 then 1.7976931348623157e308::float8
            else exp(x)
        end
$function$;
comment on function {{ schema }}.safe_exp(float8) is
'exp(x): 0 below -708 and the greatest float8 above 709.78, where exp() raises.';

create or replace function {{ schema }}.log1p(x float8)
returns float8
language sql immutable parallel safe
as $function$
    select
        case
            when x = 'NaN'::float8 or x < -1 then null
            when x = -1 then '-Infinity'::float8
            when x = 'Infinity'::float8 then x
            when 1::float8 + x = 1 then x
            else ln(1::float8 + x) * (x / ((1::float8 + x) - 1))
        end
$function$;
comment on function {{ schema }}.log1p(float8) is
'ln(1 + x) without cancellation near 0. Kahan, HP-15C advanced functions: ln(u) * x / (u - 1) with u = 1 + x.';

create or replace function {{ schema }}.expm1(x float8)
returns float8
language sql immutable parallel safe
as $function$
    select
        case
            when x = 'NaN'::float8 then null
            when x < -40 then -1::float8
            when x > 709.78 then 1.7976931348623157e308::float8
            when exp(x) = 1 then x
            when abs(x) > 1 then exp(x) - 1
            else (exp(x) - 1) * (x / ln(exp(x)))
        end
$function$;
comment on function {{ schema }}.expm1(float8) is
'exp(x) - 1 without cancellation near 0. Kahan: (u - 1) * x / ln(u) with u = exp(x).';

create or replace function {{ schema }}.safe_multiply(a float8, b float8)
returns float8
language sql immutable parallel safe
as $function$
    select
        case
            when a = 'NaN'::float8 or b = 'NaN'::float8 then null
            when a is null or b is null then null
            when a = 0 or b = 0 then 0::float8
            when
                abs(a) = 'Infinity'::float8 or abs(b) = 'Infinity'::float8
                then a * b
            when ln(abs(a)) + ln(abs(b)) < -743 then 0::float8
            when
                ln(abs(a)) + ln(abs(b)) > 709.78
                then sign(a) * sign(b) * 1.7976931348623157e308::float8
            else a * b
        end
$function$;
comment on function {{ schema }}.safe_multiply(float8, float8) is
'a * b: 0 instead of an underflow error, the greatest float8 instead of an overflow error.';

create or replace function {{ schema }}.safe_square(x float8)
returns float8
language sql immutable parallel safe
as $function$
    select
        case
            when x = 'NaN'::float8 then null
            when abs(x) = 'Infinity'::float8 then 'Infinity'::float8
            when abs(x) < 1e-161 then 0::float8
            when abs(x) > 1.34e154 then 1.7976931348623157e308::float8
            else x * x
        end
$function$;
comment on function {{ schema }}.safe_square(float8) is
'x * x: 0 instead of an underflow error, the greatest float8 instead of an overflow error.';

create or replace function {{ schema }}.safe_divide(a float8, b float8)
returns float8
language sql immutable parallel safe
as $function$
    select
        case
            when a = 'NaN'::float8 or b = 'NaN'::float8 then null
            when a is null or b is null or b = 0 then null
            when
                abs(a) = 'Infinity'::float8 and abs(b) = 'Infinity'::float8
                then null
            when a = 0 or abs(b) = 'Infinity'::float8 then 0::float8
            when abs(a) = 'Infinity'::float8 then sign(b) * a
            when ln(abs(a)) - ln(abs(b)) < -743 then 0::float8
            when
                ln(abs(a)) - ln(abs(b)) > 709.78
                then sign(a) * sign(b) * 1.7976931348623157e308::float8
            else a / b
        end
$function$;
comment on function {{ schema }}.safe_divide(float8, float8) is
'a / b: null when b is 0, 0 instead of an underflow error, the greatest float8 instead of an overflow error.';

create or replace function {{ schema }}.safe_sqrt(x float8)
returns float8
language sql immutable parallel safe
as $function$
    select case when x >= 0 and x <> 'NaN'::float8 then sqrt(x) end
$function$;
comment on function {{ schema }}.safe_sqrt(float8) is
'sqrt(x); null for a negative number.';

create or replace function {{ schema }}.power_of(base float8, exponent float8)
returns float8
language sql immutable parallel safe
as $function$
    select
        case
            when base is null or exponent is null then null
            when base = 'NaN'::float8 or exponent = 'NaN'::float8 then null
            when base < 0 then null
            when exponent = 0 or base = 1 then 1::float8
            when base = 0 then case when exponent > 0 then 0::float8 end
            when {{ schema }}.safe_multiply(exponent, ln(base)) < -708 then 0::float8
            when
                {{ schema }}.safe_multiply(exponent, ln(base)) > 709.78
                then 1.7976931348623157e308::float8
            else power(base, exponent)
        end
$function$;
comment on function {{ schema }}.power_of(float8, float8) is
'base ^ exponent of a base of 0 or more: 0 instead of an underflow error, the greatest float8 instead of an overflow error.';

create or replace function {{ schema }}.half_power(exponent float8)
returns float8
language sql immutable parallel safe
as $function$
    select {{ schema }}.power_of(0.5, exponent)
$function$;
comment on function {{ schema }}.half_power(float8) is
'(1/2) ^ exponent: the chance that as many fair coins, not necessarily a whole number, all fall on one side.';

{% endmacro %}
