{# Student's t with fractional degrees of freedom. #}
{% macro statistical_functions_student_t(schema) %}

create or replace function {{ schema }}.student_t_area(
    t float8, df float8, is_central boolean
)
returns float8
language plpgsql immutable parallel safe strict
as $function$
declare
    magnitude float8 := abs(t);
    log_ratio float8;
    ratio float8;
    x float8;
    y float8;
    a float8;
    b float8;
    w float8;
    w2 float8;
    tail float8;
begin
    if magnitude = 0 then
        return case when is_central then 0 else 1 end;
    elsif magnitude = 'Infinity'::float8 then
        return case when is_central then 1 else 0 end;
    elsif df >= 1e5 then
        if magnitude > 39 then
            return case when is_central then 1 else 0 end;
        elsif magnitude < 1e-150 then
            tail := 1;
            w := magnitude;
        else
            -- G. W. Hill (1970), CACM Algorithm 395: the normal deviate of t
            w := magnitude;
            if df < 1e30 then
                a := df - 0.5;
                b := 48 * a * a;
                w2 := a * {{ schema }}.log1p(
                    {{ schema }}.safe_divide({{ schema }}.safe_square(magnitude), df)
                );
                if w2 > 1e-100 then
                    w := sqrt(w2);
                    w := w + w * (
                        (w2 + 3) / b
                        - (((4 * w2 + 33) * w2 + 240) * w2 + 855) / (10 * b * b)
                    );
                end if;
            end if;
            tail := 2 * {{ schema }}.normal_sf(w);
        end if;
        if not is_central then
            return tail;
        elsif w > 0.5 then
            return 1 - tail;
        end if;
        -- erf(w / sqrt 2) by its power series
        w2 := case when w < 1e-50 then 0 else w * w / 2 end;
        return {{ schema }}.safe_multiply(
            w, 0.79788456080286535588
            * (1 - w2 * (1.0/3 - w2 * (1.0/10 - w2 * (1.0/42 - w2 * (1.0/216
                - w2 * (1.0/1320 - w2 * (1.0/9360 - w2 * (1.0/75600
                - w2 / 685440))))))))
        );
    end if;
    log_ratio := ln(magnitude) - 0.5 * ln(df);
    if abs(log_ratio) > 340 then
        -- the squared ratio leaves the range of float8: leading term only
        a := case when log_ratio > 0 then df / 2 else 0.5 end;
        b := case when log_ratio > 0 then 0.5 else df / 2 end;
        w := case
            when df < 1e-290 and log_ratio > 0 then 0
            else {{ schema }}.safe_multiply(a, -2 * abs(log_ratio))
                - ln(a + b) - {{ schema }}.log_beta(a + 1, b)
        end;
        return case
            when (log_ratio > 0) = is_central then -{{ schema }}.expm1(least(0, w))
            else {{ schema }}.safe_exp(least(0, w))
        end;
    end if;
    ratio := exp(log_ratio);
    if ratio > 1e-100 and ratio < 1e100 then
        ratio := magnitude / sqrt(df);
    end if;
    if ratio < 1 then
        y := ratio * ratio / (1 + ratio * ratio);
        x := 1 / (1 + ratio * ratio);
    else
        ratio := 1 / ratio;
        x := ratio * ratio / (1 + ratio * ratio);
        y := 1 / (1 + ratio * ratio);
    end if;
    return {{ schema }}.beta_tail(df / 2, 0.5, x, y, is_central);
end
$function$;
comment on function {{ schema }}.student_t_area(float8, float8, boolean) is
'P(|T| > |t|), or P(|T| < |t|) when central: I_x(df/2, 1/2), x = df / (df + t^2) (Abramowitz and Stegun 26.7.1); from df 1e5 the normal deviate of Hill (1970). df > 0.';

create or replace function {{ schema }}.student_t_p_value(t float8, df float8)
returns float8
language sql immutable parallel safe
as $function$
    select
        case
            when t is null or df is null then null
            when t = 'NaN'::float8 or df = 'NaN'::float8 or df <= 0 then null
            else {{ schema }}.student_t_area(t, greatest(df, 1e-300), false)
        end
$function$;
comment on function {{ schema }}.student_t_p_value(float8, float8) is
'Two-sided p-value P(|T| > |t|). 2 * scipy.stats.t.sf(abs(t), df).';

create or replace function {{ schema }}.student_t_sf(x float8, df float8)
returns float8
language plpgsql immutable parallel safe strict
as $function$
declare
    area float8;
begin
    if x = 'NaN'::float8 or df = 'NaN'::float8 or df <= 0 then
        return null;
    end if;
    area := {{ schema }}.student_t_area(x, greatest(df, 1e-300), x < 0);
    return case when x >= 0 then 0 else 0.5 end
        + {{ schema }}.safe_multiply(0.5, area);
end
$function$;
comment on function {{ schema }}.student_t_sf(float8, float8) is
'P(T > x). scipy.stats.t.sf.';

create or replace function {{ schema }}.student_t_cdf(x float8, df float8)
returns float8
language sql immutable parallel safe
as $function$
    select {{ schema }}.student_t_sf(-x, df)
$function$;
comment on function {{ schema }}.student_t_cdf(float8, float8) is
'P(T <= x). scipy.stats.t.cdf.';

create or replace function {{ schema }}.student_t_log_density(
    log_t float8, df float8
)
returns float8
language plpgsql immutable parallel safe strict
as $function$
declare
    log_ratio float8 := log_t - 0.5 * ln(df);
    log_x float8;
    log_y float8;
begin
    -- x = 1 / (1 + r^2) and y = 1 - x, for r = t / sqrt(df)
    if log_ratio < 0 then
        log_x := -{{ schema }}.log1p({{ schema }}.safe_exp(2 * log_ratio));
        log_y := 2 * log_ratio + log_x;
    else
        log_y := -{{ schema }}.log1p({{ schema }}.safe_exp(-2 * log_ratio));
        log_x := -2 * log_ratio + log_y;
    end if;
    return {{ schema }}.safe_multiply(df / 2, log_x) + 0.5 * log_y
        - {{ schema }}.log_beta(df / 2, 0.5);
end
$function$;
comment on function {{ schema }}.student_t_log_density(float8, float8) is
'ln(t f(t)), f the density of Student''s t: ln(x^(df/2) y^(1/2) / B(df/2, 1/2)), x = df / (df + t^2).';

create or replace function {{ schema }}.student_t_ppf(q float8, df float8)
returns float8
language plpgsql immutable parallel safe strict
as $function$
declare
    is_central boolean;
    area float8;
    target float8;
    z float8;
    z2 float8;
    low float8 := -744;
    high float8 := 709.7;
    position float8;
    proposal float8;
    log_slope float8;
    iteration int := 0;
begin
    if q = 'NaN'::float8 or df = 'NaN'::float8 or df <= 0 or q < 0 or q > 1 then
        return null;
    elsif q = 0 then
        return '-Infinity';
    elsif q = 1 then
        return 'Infinity';
    elsif q = 0.5 then
        return 0;
    elsif df > 1e30 then
        return {{ schema }}.normal_ppf(q);
    elsif df < 1e-290 then
        return case when q < 0.5 then '-Infinity'::float8 else 'Infinity' end;
    end if;
    -- whichever of the central area and the two tails does not cancel
    is_central := abs(q - 0.5) < 0.25;
    target := case
        when is_central then 2 * abs(q - 0.5)
        else 2 * least(q, 1 - q)
    end;
    -- Cornish and Fisher: a start, right to a few digits when df is not small
    z := abs({{ schema }}.normal_ppf(q));
    z2 := z * z;
    position := case
        when df < 1 then 0
        else z + z * (z2 + 1) / (4 * df) + z * ((5 * z2 + 16) * z2 + 3) / (96 * df * df)
    end;
    if df < 6 and not is_central then
        -- the tail falls like t^-df
        position := greatest(position, {{ schema }}.safe_exp(
            least(700, -ln(target) / df)
        ) * sqrt(df) / 2);
    end if;
    position := ln(greatest(position, 1e-300));
    loop
        iteration := iteration + 1;
        area := {{ schema }}.student_t_area(exp(greatest(position, -708)), df, is_central);
        if (area > target) = is_central then
            high := position;
        else
            low := position;
        end if;
        proposal := null;
        if area > 0 then
            log_slope := 0.69314718055994530942 - ln(area)
                + {{ schema }}.student_t_log_density(position, df);
            if abs(log_slope) < 600 then
                proposal := position + (ln(target) - ln(area)) * exp(-log_slope)
                    * case when is_central then 1 else -1 end;
            end if;
        end if;
        if abs(proposal - position) <= 1e-8 then
            position := proposal;
            exit;
        elsif proposal > low and proposal < high then
            position := proposal;
        else
            position := (low + high) / 2;
        end if;
        exit when iteration >= 300 or high - low < 1e-15;
    end loop;
    return case
        when position > 709.6 then case when q < 0.5 then '-Infinity'::float8 else 'Infinity' end
        else sign(q - 0.5) * {{ schema }}.safe_exp(position)
    end;
end
$function$;
comment on function {{ schema }}.student_t_ppf(float8, float8) is
'Quantile of Student''s t: safeguarded Newton on the logarithms of the area and of t. scipy.stats.t.ppf.';

{% endmacro %}
