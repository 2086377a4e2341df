{# Whether a series rises or falls. #}
{% macro statistical_functions_trend(schema) %}

create or replace function {{ schema }}.mann_kendall_p_value(
    score float8, tied_counts float8[]
)
returns float8
language plpgsql immutable parallel safe strict
as $function$
declare
    n float8 := 0;
    tied_pairs float8 := 0;
    variance float8 := 0;
    tied_count float8;
    pairs int;
    counts float8[];
    as_extreme float8 := 0;
    orders float8 := 0;
begin
    if score = 'NaN'::float8 then
        return null;
    end if;
    foreach tied_count in array tied_counts loop
        if (tied_count >= 1 and tied_count <= 1e15 and tied_count = floor(tied_count))
            is not true
        then
            return null;
        end if;
        n := n + tied_count;
        tied_pairs := tied_pairs + tied_count * (tied_count - 1) / 2;
        variance := variance
            - tied_count * (tied_count - 1) * (2 * tied_count + 5) / 18;
    end loop;
    variance := variance + n * (n - 1) * (2 * n + 5) / 18;
    if cardinality(tied_counts) < 2 or abs(score) > n * (n - 1) / 2 - tied_pairs then
        return null;
    elsif n >= 10 then
        return least(1, 2 * {{ schema }}.normal_sf(
            greatest(abs(score) - 1, 0) / sqrt(variance)
        ));
    end if;
    -- counts[i]: orders of the values with i inversions, the coefficients of
    -- prod_(k <= n) (1 - q^k) / prod_ties prod_(j <= t) (1 - q^j); score is
    -- pairs - 2 i
    pairs := n * (n - 1) / 2 - tied_pairs;
    counts := array_fill(0::float8, array[pairs + 1], array[0]);
    counts[0] := 1;
    for k in 1 .. n::int loop
        for i in reverse pairs .. k loop
            counts[i] := counts[i] - counts[i - k];
        end loop;
    end loop;
    foreach tied_count in array tied_counts loop
        for j in 1 .. tied_count::int loop
            for i in j .. pairs loop
                counts[i] := counts[i] + counts[i - j];
            end loop;
        end loop;
    end loop;
    for i in 0 .. pairs loop
        orders := orders + counts[i];
        if abs(pairs - 2 * i) >= abs(score) then
            as_extreme := as_extreme + counts[i];
        end if;
    end loop;
    return as_extreme / orders;
end
$function$;
comment on function {{ schema }}.mann_kendall_p_value(float8, float8[]) is
'Two-sided p-value of the Mann-Kendall test for a trend, from Kendall''s score S and the number of times each distinct value occurs: the share of all orders of the values that are as extreme where there are fewer than 10, else the normal one with the variance corrected for ties and S for continuity; null where all values are equal. M. G. Kendall (1975), Rank Correlation Methods. scipy.stats.kendalltau(method="exact").';

{% endmacro %}
