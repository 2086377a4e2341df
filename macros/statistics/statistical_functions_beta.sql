{#
    The beta distribution: its tails, which neither cancel nor underflow, and its
    quantiles. One rule everywhere: an argument that is null, NaN or outside of
    the domain gives null, never an error.
#}
{% macro statistical_functions_beta(schema) %}

create or replace function {{ schema }}.beta_lambda(
    a float8, b float8, x float8, y float8
)
returns float8
language plpgsql immutable parallel safe strict
as $function$
declare
    total float8 := a + b;
    total_error float8;
    small float8 := least(x, y);
    product float8;
    product_error float8 := 0;
    split float8;
    total_high float8;
    small_high float8;
begin
    total_error := case when a > b then (a - total) + b else (b - total) + a end;
    product := {{ schema }}.safe_multiply(total, small);
    if total between 1e-3 and 1e30 and small > 1e-60 then
        -- T. J. Dekker (1971): the rounding error of a product, exactly
        split := total * 134217729;
        total_high := split - (split - total);
        split := small * 134217729;
        small_high := split - (split - small);
        product_error := ((total_high * small_high - product)
            + total_high * (small - small_high)
            + (total - total_high) * small_high)
            + (total - total_high) * (small - small_high)
            + total_error * small;
    end if;
    if x <= y then
        return (a - product) - product_error;
    end if;
    return (product - b) + product_error;
end
$function$;
comment on function {{ schema }}.beta_lambda(float8, float8, float8, float8) is
'a - (a + b) x, with the rounding error of the product compensated; y = 1 - x is given.';

create or replace function {{ schema }}.log_beta_prefix(
    a float8, b float8, x float8, y float8, lambda float8
)
returns float8
language plpgsql immutable parallel safe strict
as $function$
declare
    log_x float8 := case when x <= 0.5 then ln(x) else {{ schema }}.log1p(-y) end;
    log_y float8 := case when y < 0.5 then ln(y) else {{ schema }}.log1p(-x) end;
begin
    if least(a, b) < 1 then
        return {{ schema }}.safe_multiply(a, log_x)
            + {{ schema }}.safe_multiply(b, log_y) - {{ schema }}.log_beta(a, b);
    end if;
    return 0.5 * (ln(a) + ln(b) - ln(a + b)) - 0.91893853320467274178
        + {{ schema }}.stirling_error(a + b) - {{ schema }}.stirling_error(a)
        - {{ schema }}.stirling_error(b)
        - {{ schema }}.deviance_part(a, {{ schema }}.safe_multiply(a + b, x), lambda)
        - {{ schema }}.deviance_part(b, {{ schema }}.safe_multiply(a + b, y), -lambda);
end
$function$;
comment on function {{ schema }}.log_beta_prefix(float8, float8, float8, float8, float8) is
'ln(x^a y^b / B(a, b)) with y = 1 - x given: the saddle-point form of Loader (2000), the plain form when a or b is below 1.';

create or replace function {{ schema }}.beta_continued_fraction(
    a float8, b float8, x float8, y float8, lambda float8
)
returns float8
language plpgsql immutable parallel safe strict
as $function$
declare
    c float8 := 1 + lambda;
    c0 float8 := b / a;
    c1 float8 := 1 + 1 / a;
    y_plus_one float8 := y + 1;
    n float8 := 0;
    p float8 := 1;
    s float8 := a + 1;
    numerator_before float8 := 0;
    denominator_before float8 := 1;
    numerator float8 := 1;
    denominator float8 := c / c1;
    ratio float8 := c1 / c;
    previous float8;
    t float8;
    w float8;
    e float8;
    alpha float8;
    beta float8;
begin
    loop
        n := n + 1;
        t := n / a;
        w := n * (b - n) * x;
        e := a / s;
        alpha := (p * (p + c0) * e * e) * (w * x);
        e := (t + 1) / (c1 + t + t);
        beta := n + w / s + e * (c + n * y_plus_one);
        p := t + 1;
        s := s + 2;
        t := alpha * numerator_before + beta * numerator;
        numerator_before := numerator;
        numerator := t;
        t := alpha * denominator_before + beta * denominator;
        denominator_before := denominator;
        denominator := t;
        previous := ratio;
        ratio := numerator / denominator;
        exit when abs(ratio - previous) <= 1e-16 * ratio or n >= 50000;
        numerator_before := numerator_before / denominator;
        denominator_before := denominator_before / denominator;
        numerator := ratio;
        denominator := 1;
    end loop;
    return ratio;
end
$function$;
comment on function {{ schema }}.beta_continued_fraction(float8, float8, float8, float8, float8) is
'The continued fraction of I_x(a, b) / (x^a y^b / B(a, b)) for x below the mean: A. R. DiDonato, A. H. Morris (1992), ACM Algorithm 708, BFRAC.';

create or replace function {{ schema }}.beta_series(
    a float8, b float8, x float8, y float8, lambda float8
)
returns float8
language plpgsql immutable parallel safe strict
as $function$
declare
    n float8 := 0;
    term float8 := 1;
    total float8 := 0;
    previous float8;
    log_prefix float8;
    log_y float8;
begin
    if a < 1 then
        -- ln(x^a / (a B(a, b))), and 1 / (a B(a, b)) = 1 / ((a + b) B(a + 1, b))
        log_prefix := {{ schema }}.safe_multiply(a, ln(x)) - ln(a + b)
            - {{ schema }}.log_beta(a + 1, b);
    else
        log_y := case when y < 0.5 then ln(y) else {{ schema }}.log1p(-x) end;
        log_prefix := {{ schema }}.log_beta_prefix(a, b, x, y, lambda) - ln(a)
            - {{ schema }}.safe_multiply(b, log_y);
    end if;
    if x > 1e-100 then
        loop
            n := n + 1;
            term := term * ((n - b) * x / n);
            previous := total;
            total := total + term / (a + n);
            exit when total = previous or abs(term) < 1e-100 or n >= 10000;
        end loop;
    end if;
    total := {{ schema }}.safe_multiply(a, total);
    return log_prefix + {{ schema }}.log1p(total);
end
$function$;
comment on function {{ schema }}.beta_series(float8, float8, float8, float8, float8) is
'ln I_x(a, b) by the power series in x (Abramowitz and Stegun 26.5.4 transformed; ACM Algorithm 708, BPSER), for x and b x at most 0.7.';

create or replace function {{ schema }}.beta_tail(
    a float8, b float8, x float8, y float8, is_upper boolean
)
returns float8
language plpgsql immutable parallel safe strict
as $function$
declare
    lambda float8;
    log_prefix float8;
    log_tail float8;
    deviance float8;
    scale float8;
begin
    if x <= 0 or y <= 0 then
        return case when (x <= 0) = is_upper then 1 else 0 end;
    elsif least(a, b) < 1e-100 then
        -- all mass at the two ends
        return {{ schema }}.safe_divide(case when is_upper then a else b end, a + b);
    elsif greatest(a, b) > 1e30 and least(a, b) < 1e8 then
        -- only the product with the greater parameter counts from here on
        if b > a then
            return case
                when x > 1e-20 then case when is_upper then 0 else 1 end
                else {{ schema }}.beta_tail(
                    a, 1e30, least(1, {{ schema }}.safe_multiply(x, b / 1e30)),
                    greatest(0, 1 - {{ schema }}.safe_multiply(x, b / 1e30)), is_upper
                )
            end;
        end if;
        return {{ schema }}.beta_tail(b, a, y, x, not is_upper);
    end if;
    if least(a, b) >= 1e8 then
        if greatest(a, b) > 1e100 then
            -- beyond any count: a point mass at the mean
            return case
                when (x < 1 / (1 + {{ schema }}.safe_divide(b, a))) = is_upper then 1
                else 0
            end;
        end if;
        lambda := {{ schema }}.beta_lambda(a, b, x, y);
        deviance := {{ schema }}.deviance_part(a, {{ schema }}.safe_multiply(a + b, x), lambda)
            + {{ schema }}.deviance_part(b, {{ schema }}.safe_multiply(a + b, y), -lambda);
        if deviance > 744 then
            return case when (lambda >= 0) = is_upper then 1 else 0 end;
        end if;
        scale := sqrt(a) * sqrt(b / (a + b));
        -- Lugannani and Rice (1980), on the tail that lambda points to
        log_tail := {{ schema }}.normal_sf(sqrt(2 * greatest(deviance, 0)))
            + case when lambda >= 0 then 1 else -1 end
            * {{ schema }}.safe_exp(-deviance) / 2.50662827463100050242 * scale
            * case
                when deviance < 1e-8 then (1 / a - 1 / b) / 3
                else 1 / lambda
                    - 1 / (sign(lambda) * sqrt(2 * deviance) * scale)
            end;
        return greatest(0, least(1, case
            when (lambda >= 0) = is_upper then 1 - log_tail else log_tail
        end));
    end if;
    lambda := {{ schema }}.beta_lambda(a, b, x, y);
    if is_upper and y <= least(0.7, 0.7 / a) then
        log_tail := least(0, {{ schema }}.beta_series(b, a, y, x, -lambda));
        return {{ schema }}.safe_exp(log_tail);
    elsif not is_upper and x <= least(0.7, 0.7 / b) then
        log_tail := least(0, {{ schema }}.beta_series(a, b, x, y, lambda));
        return {{ schema }}.safe_exp(log_tail);
    elsif is_upper and x <= least(0.7, 0.7 / b) then
        log_tail := least(0, {{ schema }}.beta_series(a, b, x, y, lambda));
        return -{{ schema }}.expm1(log_tail);
    elsif not is_upper and y <= least(0.7, 0.7 / a) then
        log_tail := least(0, {{ schema }}.beta_series(b, a, y, x, -lambda));
        return -{{ schema }}.expm1(log_tail);
    end if;
    log_prefix := {{ schema }}.log_beta_prefix(a, b, x, y, lambda);
    if log_prefix < -760 then
        return case when (lambda >= 0) = is_upper then 1 else 0 end;
    elsif lambda >= 0 then
        log_tail := log_prefix
            + ln({{ schema }}.beta_continued_fraction(a, b, x, y, lambda));
    else
        log_tail := log_prefix
            + ln({{ schema }}.beta_continued_fraction(b, a, y, x, -lambda));
    end if;
    log_tail := least(0, log_tail);
    if (lambda >= 0) = is_upper then
        return -{{ schema }}.expm1(log_tail);
    end if;
    return {{ schema }}.safe_exp(log_tail);
end
$function$;
comment on function {{ schema }}.beta_tail(float8, float8, float8, float8, boolean) is
'Lower or upper tail of the beta distribution with x and y = 1 - x both given, so that neither tail cancels. a, b > 0 finite. Relative error below 1e-12 for a, b in [0.25, 1e8].';

create or replace function {{ schema }}.beta_quantile(
    a float8, b float8, tail float8, is_upper boolean
)
returns float8
language plpgsql immutable parallel safe strict
as $function$
declare
    -- the logarithm of the quantile, at most ln(1/2); ln of the smallest float8
    low float8 := -744;
    high float8 := -0.69314718055994530942;
    position float8;
    proposal float8;
    quantile float8;
    probability float8;
    log_density float8;
    iteration int := 0;
begin
    position := least(high, ln(a) - ln(a + b));
    loop
        iteration := iteration + 1;
        position := greatest(low, position);
        quantile := exp(greatest(position, -708));
        probability := {{ schema }}.beta_tail(a, b, quantile, 1 - quantile, is_upper);
        if (probability > tail) = is_upper then
            low := position;
        else
            high := position;
        end if;
        proposal := null;
        if probability > 0 then
            log_density := {{ schema }}.log_beta_prefix(
                a, b, quantile, 1 - quantile,
                {{ schema }}.beta_lambda(a, b, quantile, 1 - quantile)
            ) - {{ schema }}.log1p(-quantile) - ln(probability);
            if abs(log_density) < 600 then
                proposal := position + (ln(tail) - ln(probability))
                    * exp(-log_density) * case when is_upper then -1 else 1 end;
            end if;
        end if;
        if abs(proposal - position) <= 1e-9 then
            position := proposal;
            exit;
        elsif proposal > low and proposal < high then
            position := proposal;
        else
            position := (low + high) / 2;
        end if;
        exit when iteration >= 300 or high - low < 1e-15;
    end loop;
    return {{ schema }}.safe_exp(position);
end
$function$;
comment on function {{ schema }}.beta_quantile(float8, float8, float8, boolean) is
'The x <= 1/2 whose lower or upper beta tail is the given one: safeguarded Newton on the logarithms.';

create or replace function {{ schema }}.beta_ppf(q float8, a float8, b float8)
returns float8
language plpgsql immutable parallel safe strict
as $function$
declare
    below_half float8;
begin
    if not (a > 0 and b > 0 and q >= 0 and q <= 1)
        or greatest(a, b) > 1e300
    then
        return null;
    elsif q = 0 or q = 1 then
        return q;
    elsif least(a, b) < 1e-100 then
        return case when q <= {{ schema }}.safe_divide(b, a + b) then 0 else 1 end;
    elsif greatest(a, b) > 1e15 then
        -- narrower than float8 resolves in the cases that counts produce
        return 1 / (1 + {{ schema }}.safe_divide(b, a));
    end if;
    below_half := {{ schema }}.beta_tail(a, b, 0.5, 0.5, false);
    if q <= below_half then
        if q <= 0.5 then
            return {{ schema }}.beta_quantile(a, b, q, false);
        end if;
        return {{ schema }}.beta_quantile(a, b, 1 - q, true);
    elsif q <= 0.5 then
        return 1 - {{ schema }}.beta_quantile(b, a, q, true);
    end if;
    return 1 - {{ schema }}.beta_quantile(b, a, 1 - q, false);
end
$function$;
comment on function {{ schema }}.beta_ppf(float8, float8, float8) is
'Quantile of the beta distribution. scipy.stats.beta.ppf. Parameters above 1e15 give the mean.';

{% endmacro %}
