{# The binomial distribution, and the tests and intervals of proportions. #}
{% macro statistical_functions_binomial(schema) %}

create or replace function {{ schema }}.binomial_sf(
    k float8, n float8, p float8
)
returns float8
language plpgsql immutable parallel safe strict
as $function$
declare
    successes float8;
begin
    if k = 'NaN'::float8 or not (p >= 0 and p <= 1 and n >= 0)
        or n >= 'Infinity'::float8 or n <> floor(n)
    then
        return null;
    end if;
    successes := floor(k);
    if successes < 0 then
        return 1;
    elsif successes >= n then
        return 0;
    end if;
    return {{ schema }}.beta_tail(
        least(n - successes, 1e300), least(successes + 1, 1e300), 1 - p, p, true
    );
end
$function$;
comment on function {{ schema }}.binomial_sf(float8, float8, float8) is
'P(K > k) of n trials. scipy.stats.binom.sf.';

create or replace function {{ schema }}.sign_test_p_value(
    wins float8, losses float8
)
returns float8
language plpgsql immutable parallel safe strict
as $function$
begin
    if not (wins >= 0 and losses >= 0) or greatest(wins, losses) > 1e299 then
        return null;
    elsif wins = losses then
        return 1;
    end if;
    return least(1, 2 * {{ schema }}.beta_tail(
        greatest(wins, losses), least(wins, losses) + 1, 0.5, 0.5, false
    ));
end
$function$;
comment on function {{ schema }}.sign_test_p_value(float8, float8) is
'Exact two-sided sign test, ties left out: min(1, 2 P(K <= min(w, l))), K binomial(w + l, 1/2). scipy.stats.binomtest(w, w + l).';

create or replace function {{ schema }}.mid_p_greater(k float8, n float8)
returns float8
language sql immutable parallel safe
as $function$
    -- the mean of P(K > k) and P(K >= k): nothing cancels
    select
        0.5 * {{ schema }}.binomial_sf(k, n, 0.5)
        + 0.5 * {{ schema }}.binomial_sf(ceil(k) - 1, n, 0.5)
$function$;
comment on function {{ schema }}.mid_p_greater(float8, float8) is
'One-sided mid-p value of the sign test and of McNemar''s: P(K > k) + P(K = k) / 2, K binomial(n, 1/2); 1/2 when n is 0. With k wins and n wins and losses, small when wins are many. H. O. Lancaster (1961), JASA 56.';

create or replace function {{ schema }}.mcnemar_p_value(
    b float8, c float8
)
returns float8
language sql immutable parallel safe
as $function$
    select {{ schema }}.sign_test_p_value(b, c)
$function$;
comment on function {{ schema }}.mcnemar_p_value(float8, float8) is
'Exact McNemar test of the discordant counts b and c: the sign test on them. statsmodels mcnemar(exact=True).';

create or replace function {{ schema }}.wilson_upper(
    successes float8, trials float8, alpha float8
)
returns float8
language plpgsql immutable parallel safe strict
as $function$
declare
    z float8;
    z2n float8;
    proportion float8;
begin
    if not (trials >= 0 and successes >= 0 and successes <= trials
        and alpha > 0 and alpha < 1) or trials >= 1e300
    then
        return null;
    elsif trials = 0 or successes = trials then
        return 1;
    elsif trials < 1e-100 then
        return 1;
    end if;
    z := {{ schema }}.normal_ppf(greatest(alpha, 1e-300) / 2);
    if z = '-Infinity'::float8 then
        return 1;
    elsif abs(z) < 1e-100 then
        return successes / trials;
    end if;
    z2n := z * z / trials;
    proportion := {{ schema }}.safe_divide(successes, trials);
    return least(1, (
        proportion + z2n / 2
        + sqrt(z2n) * sqrt({{ schema }}.safe_multiply(proportion, 1 - proportion) + z2n / 4)
    ) / (1 + z2n));
end
$function$;
comment on function {{ schema }}.wilson_upper(float8, float8, float8) is
'Upper bound of the two-sided 1 - alpha Wilson score interval; 1 without trials. statsmodels proportion_confint(method="wilson").';

create or replace function {{ schema }}.wilson_lower(
    successes float8, trials float8, alpha float8
)
returns float8
language plpgsql immutable parallel safe strict
as $function$
declare
    z float8;
    z2n float8;
    proportion float8;
    product float8;
    divisor float8;
begin
    if not (trials >= 0 and successes >= 0 and successes <= trials
        and alpha > 0 and alpha < 1) or trials >= 1e300
    then
        return null;
    elsif trials = 0 or successes = 0 or trials < 1e-100 then
        return 0;
    end if;
    z := {{ schema }}.normal_ppf(greatest(alpha, 1e-300) / 2);
    if z = '-Infinity'::float8 then
        return 0;
    elsif abs(z) < 1e-100 then
        return successes / trials;
    end if;
    z2n := z * z / trials;
    proportion := {{ schema }}.safe_divide(successes, trials);
    -- the product of the two bounds is proportion^2 / (1 + z^2/n): no cancellation
    product := {{ schema }}.safe_square(proportion);
    divisor := proportion + z2n / 2
        + sqrt(z2n) * sqrt({{ schema }}.safe_multiply(proportion, 1 - proportion) + z2n / 4);
    return {{ schema }}.safe_divide(product, divisor);
end
$function$;
comment on function {{ schema }}.wilson_lower(float8, float8, float8) is
'Lower bound of the two-sided 1 - alpha Wilson score interval; 0 without trials. statsmodels proportion_confint(method="wilson").';

create or replace function {{ schema }}.clopper_pearson_lower(
    successes float8, trials float8, alpha float8
)
returns float8
language sql immutable parallel safe
as $function$
    select
        case
            when successes is null or trials is null or alpha is null then null
            when
                not (
                    trials >= 0 and successes >= 0 and successes <= trials
                    and alpha > 0 and alpha < 1 and trials < 1e300
                )
                then null
            when successes = 0 then 0::float8
            else
                {{ schema }}.beta_ppf(
                    greatest(alpha, 1e-300) / 2, successes, trials - successes + 1
                )
        end
$function$;
comment on function {{ schema }}.clopper_pearson_lower(float8, float8, float8) is
'Lower bound of the exact two-sided 1 - alpha interval of a proportion. statsmodels proportion_confint(method="beta").';

create or replace function {{ schema }}.clopper_pearson_upper(
    successes float8, trials float8, alpha float8
)
returns float8
language sql immutable parallel safe
as $function$
    select
        case
            when successes is null or trials is null or alpha is null then null
            when
                not (
                    trials >= 0 and successes >= 0 and successes <= trials
                    and alpha > 0 and alpha < 1 and trials < 1e300
                )
                then null
            when successes = trials then 1::float8
            else
                1 - {{ schema }}.beta_ppf(
                    greatest(alpha, 1e-300) / 2, trials - successes, successes + 1
                )
        end
$function$;
comment on function {{ schema }}.clopper_pearson_upper(float8, float8, float8) is
'Upper bound of the exact two-sided 1 - alpha interval of a proportion. statsmodels proportion_confint(method="beta").';

{% endmacro %}
