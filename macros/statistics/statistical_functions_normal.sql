{# The normal distribution, without erf(): PostgreSQL 15 has none. #}
{% macro statistical_functions_normal(schema) %}

create or replace function {{ schema }}.erfc(x float8)
returns float8
language plpgsql immutable parallel safe strict
as $function$
declare
    magnitude float8 := abs(x);
    inverse_square float8;
    numerator float8;
    denominator float8;
    ratio float8;
    rounded float8;
begin
    if x = 'NaN'::float8 then
        return null;
    elsif magnitude <= 0.46875 then
        inverse_square := case when magnitude > 1.11e-16 then magnitude * magnitude else 0 end;
        numerator := ((1.85777706184603153e-1 * inverse_square + 3.16112374387056560)
            * inverse_square + 1.13864154151050156e2) * inverse_square + 3.77485237685302021e2;
        numerator := numerator * inverse_square + 3.20937758913846947e3;
        denominator := ((inverse_square + 2.36012909523441209e1)
            * inverse_square + 2.44024637934444173e2) * inverse_square + 1.28261652607737228e3;
        denominator := denominator * inverse_square + 2.84423683343917062e3;
        -- x itself may be denormal: no product below that could underflow
        if magnitude < 1e-300 then
            return 1;
        end if;
        return 1 - x * (numerator / denominator);
    elsif magnitude > 26.64 then
        return case when x < 0 then 2 else 0 end;
    elsif magnitude <= 4 then
        numerator := 2.15311535474403846e-8 * magnitude;
        denominator := magnitude;
        numerator := (numerator + 5.64188496988670089e-1) * magnitude;
        denominator := (denominator + 1.57449261107098347e1) * magnitude;
        numerator := (numerator + 8.88314979438837594) * magnitude;
        denominator := (denominator + 1.17693950891312499e2) * magnitude;
        numerator := (numerator + 6.61191906371416295e1) * magnitude;
        denominator := (denominator + 5.37181101862009858e2) * magnitude;
        numerator := (numerator + 2.98635138197400131e2) * magnitude;
        denominator := (denominator + 1.62138957456669019e3) * magnitude;
        numerator := (numerator + 8.81952221241769090e2) * magnitude;
        denominator := (denominator + 3.29079923573345963e3) * magnitude;
        numerator := (numerator + 1.71204761263407058e3) * magnitude;
        denominator := (denominator + 4.36261909014324716e3) * magnitude;
        numerator := (numerator + 2.05107837782607147e3) * magnitude;
        denominator := (denominator + 3.43936767414372164e3) * magnitude;
        ratio := (numerator + 1.23033935479799725e3) / (denominator + 1.23033935480374942e3);
    else
        inverse_square := 1 / (magnitude * magnitude);
        numerator := 1.63153871373020978e-2 * inverse_square;
        denominator := inverse_square;
        numerator := (numerator + 3.05326634961232344e-1) * inverse_square;
        denominator := (denominator + 2.56852019228982242) * inverse_square;
        numerator := (numerator + 3.60344899949804439e-1) * inverse_square;
        denominator := (denominator + 1.87295284992346725) * inverse_square;
        numerator := (numerator + 1.25781726111229246e-1) * inverse_square;
        denominator := (denominator + 5.27905102951428412e-1) * inverse_square;
        numerator := (numerator + 1.60837851487422766e-2) * inverse_square;
        denominator := (denominator + 6.05183413124413191e-2) * inverse_square;
        ratio := inverse_square * (numerator + 6.58749161529837803e-4)
            / (denominator + 2.33520497626869185e-3);
        ratio := (5.6418958354775628695e-1 - ratio) / magnitude;
    end if;
    -- exp(-x*x) split at a multiple of 1/16, whose square is exact
    rounded := trunc(magnitude * 16) / 16;
    ratio := {{ schema }}.safe_exp(-rounded * rounded)
        * exp(-(magnitude - rounded) * (magnitude + rounded)) * ratio;
    return case when x < 0 then 2 - ratio else ratio end;
end
$function$;
comment on function {{ schema }}.erfc(float8) is
'Complementary error function: rational Chebyshev approximations of W. J. Cody (1969), Math. Comp. 23. Relative error below 1e-15; 0 above 26.64.';

create or replace function {{ schema }}.normal_sf(x float8)
returns float8
language sql immutable parallel safe
as $function$
    select
        case
            when x = 'NaN'::float8 then null
            when x > 38 then 0::float8
            when x < -38 then 1::float8
            when abs(x) < 1e-300 then 0.5::float8
            else 0.5 * {{ schema }}.erfc(x * 0.70710678118654752440::float8)
        end
$function$;
comment on function {{ schema }}.normal_sf(float8) is
'P(Z > x) of the standard normal: erfc(x / sqrt 2) / 2. scipy.stats.norm.sf.';

create or replace function {{ schema }}.normal_cdf(x float8)
returns float8
language sql immutable parallel safe
as $function$
    select {{ schema }}.normal_sf(-x)
$function$;
comment on function {{ schema }}.normal_cdf(float8) is
'P(Z <= x) of the standard normal. scipy.stats.norm.cdf.';

create or replace function {{ schema }}.normal_ppf(q float8)
returns float8
language plpgsql immutable parallel safe strict
as $function$
declare
    centred float8 := q - 0.5;
    r float8;
    quantile float8;
begin
    if q = 'NaN'::float8 or q < 0 or q > 1 then
        return null;
    elsif q = 0 then
        return '-Infinity';
    elsif q = 1 then
        return 'Infinity';
    elsif abs(centred) <= 0.425 then
        r := 0.180625 - centred * centred;
        return centred
            * (((((((2.5090809287301226727e3 * r + 3.3430575583588128105e4) * r
                + 6.7265770927008700853e4) * r + 4.5921953931549871457e4) * r
                + 1.3731693765509461125e4) * r + 1.9715909503065514427e3) * r
                + 1.3314166789178437745e2) * r + 3.3871328727963666080)
            / (((((((5.2264952788528545610e3 * r + 2.8729085735721942674e4) * r
                + 3.9307895800092710610e4) * r + 2.1213794301586595867e4) * r
                + 5.3941960214247511077e3) * r + 6.8718700749205790830e2) * r
                + 4.2313330701600911252e1) * r + 1.0);
    end if;
    r := sqrt(-ln(case when centred <= 0 then q else 1 - q end));
    if r <= 5 then
        r := r - 1.6;
        quantile := (((((((7.74545014278341407640e-4 * r + 2.27238449892691845833e-2) * r
                + 2.41780725177450611770e-1) * r + 1.27045825245236838258) * r
                + 3.64784832476320460504) * r + 5.76949722146069140550) * r
                + 4.63033784615654529590) * r + 1.42343711074968357734)
            / (((((((1.05075007164441684324e-9 * r + 5.47593808499534494600e-4) * r
                + 1.51986665636164571966e-2) * r + 1.48103976427480074590e-1) * r
                + 6.89767334985100004550e-1) * r + 1.67638483018380384940) * r
                + 2.05319162663775882187) * r + 1.0);
    else
        r := r - 5;
        quantile := (((((((2.01033439929228813265e-7 * r + 2.71155556874348757815e-5) * r
                + 1.24266094738807843860e-3) * r + 2.65321895265761230930e-2) * r
                + 2.96560571828504891230e-1) * r + 1.78482653991729133580) * r
                + 5.46378491116411436990) * r + 6.65790464350110377720)
            / (((((((2.04426310338993978564e-15 * r + 1.42151175831644588870e-7) * r
                + 1.84631831751005468180e-5) * r + 7.86869131145613259100e-4) * r
                + 1.48753612908506148525e-2) * r + 1.36929880922735805310e-1) * r
                + 5.99832206555887937690e-1) * r + 1.0);
    end if;
    return case when centred < 0 then -quantile else quantile end;
end
$function$;
comment on function {{ schema }}.normal_ppf(float8) is
'Quantile of the standard normal: M. J. Wichura (1988), Algorithm AS 241, PPND16, relative error below 1e-15. scipy.stats.norm.ppf.';

{% endmacro %}
