{#
    Tests on the runs of one task: whether one arm passes less often than the
    other, and whether its passes and failures alternate as chance has them do.
    Runs of a task are few, so all of them are exact.
#}
{% macro statistical_functions_single_tasks(schema) %}

create or replace function {{ schema }}.log_choose(n float8, k float8)
returns float8
language sql immutable parallel safe
as $function$
    select
        case
            when (k = 0 or k = n) and n >= 0 and n < 1e300 then 0::float8
            when k > 0 and k < n and n < 1e300
                then -ln(n + 1) - {{ schema }}.log_beta(n - k + 1, k + 1)
        end
$function$;
comment on function {{ schema }}.log_choose(float8, float8) is
'Logarithm of the number of ways to choose k of n; null unless 0 <= k <= n. scipy.special.gammaln.';

create or replace function {{ schema }}.hypergeometric_cdf(
    k float8, marked float8, drawn float8, total float8
)
returns float8
language plpgsql immutable parallel safe strict
as $function$
declare
    hits float8 := floor(k);
    term float8;
    tail float8;
begin
    if not (marked >= 0 and drawn >= 0 and marked <= total and drawn <= total
        and total < 1e9) or k = 'NaN'::float8 or marked <> floor(marked)
        or drawn <> floor(drawn) or total <> floor(total)
    then
        return null;
    elsif hits < greatest(0, drawn + marked - total) then
        return 0;
    elsif hits >= least(marked, drawn) then
        return 1;
    end if;
    -- the tail without the mode is added up, from its largest term outwards
    if hits > (drawn + 1) * (marked + 1) / (total + 2) then
        hits := hits + 1;
        term := {{ schema }}.hypergeometric_term(hits, marked, drawn, total);
        tail := term;
        while hits < least(marked, drawn) and term > tail * 1e-17 loop
            term := term * ((marked - hits) / (hits + 1))
                * ((drawn - hits) / (total - marked - drawn + hits + 1));
            tail := tail + term;
            hits := hits + 1;
            exit when term < 1e-290;
        end loop;
        return greatest(0, 1 - tail);
    end if;
    term := {{ schema }}.hypergeometric_term(hits, marked, drawn, total);
    tail := term;
    while hits > greatest(0, drawn + marked - total) and term > tail * 1e-17 loop
        term := term * (hits / (marked - hits + 1))
            * ((total - marked - drawn + hits) / (drawn - hits + 1));
        tail := tail + term;
        hits := hits - 1;
        exit when term < 1e-290;
    end loop;
    return least(1, tail);
end
$function$;
comment on function {{ schema }}.hypergeometric_cdf(float8, float8, float8, float8) is
'P(K <= k), K the marked among those drawn of a total without replacement. scipy.stats.hypergeom.cdf(k, total, marked, drawn).';

create or replace function {{ schema }}.hypergeometric_term(
    k float8, marked float8, drawn float8, total float8
)
returns float8
language plpgsql immutable parallel safe strict
as $function$
begin
    return {{ schema }}.safe_exp(
        {{ schema }}.log_choose(marked, k)
        + {{ schema }}.log_choose(total - marked, drawn - k)
        - {{ schema }}.log_choose(total, drawn)
    );
end
$function$;
comment on function {{ schema }}.hypergeometric_term(float8, float8, float8, float8) is
'P(K = k) of the same. scipy.stats.hypergeom.pmf(k, total, marked, drawn).';

create or replace function {{ schema }}.fisher_p_value_less(
    baseline_passes float8,
    baseline_runs float8,
    candidate_passes float8,
    candidate_runs float8
)
returns float8
language sql immutable parallel safe
as $function$
    select
        case
            when
                baseline_passes >= 0 and baseline_passes <= baseline_runs
                and candidate_passes >= 0 and candidate_passes <= candidate_runs
                and baseline_runs < 1e8 and candidate_runs < 1e8
                then {{ schema }}.hypergeometric_cdf(
                    candidate_passes,
                    baseline_passes + candidate_passes,
                    candidate_runs,
                    baseline_runs + candidate_runs
                )
        end
$function$;
comment on function {{ schema }}.fisher_p_value_less(float8, float8, float8, float8) is
'Fisher''s exact one-sided p-value: that so few of all passes fall to the candidate. scipy.stats.fisher_exact(alternative="greater") of the table baseline over candidate. R. A. Fisher (1935), JRSS 98.';

create or replace function {{ schema }}.fisher_mid_p_less(
    baseline_passes float8,
    baseline_runs float8,
    candidate_passes float8,
    candidate_runs float8
)
returns float8
language sql immutable parallel safe
as $function$
    -- the mean of P(K < k) and P(K <= k): nothing cancels
    select
        case
            when
                baseline_passes >= 0 and baseline_passes <= baseline_runs
                and candidate_passes >= 0 and candidate_passes <= candidate_runs
                and baseline_runs < 1e8 and candidate_runs < 1e8
                then 0.5 * {{ schema }}.hypergeometric_cdf(
                    candidate_passes,
                    baseline_passes + candidate_passes,
                    candidate_runs,
                    baseline_runs + candidate_runs
                ) + 0.5 * {{ schema }}.hypergeometric_cdf(
                    candidate_passes - 1,
                    baseline_passes + candidate_passes,
                    candidate_runs,
                    baseline_runs + candidate_runs
                )
        end
$function$;
comment on function {{ schema }}.fisher_mid_p_less(float8, float8, float8, float8) is
'The same as a mid-p value: P(K < k) + P(K = k) / 2. H. O. Lancaster (1961), JASA 56; A. Agresti (2013), Categorical Data Analysis, 3.5.';

create or replace function {{ schema }}.permutation_mid_p_less(
    baseline float8[], candidate float8[]
)
returns float8
language plpgsql immutable parallel safe strict
as $function$
declare
    pooled float8[] := baseline || candidate;
    total integer := cardinality(baseline) + cardinality(candidate);
    -- the smaller arm is drawn; of the larger the rest is left
    is_candidate boolean := cardinality(candidate) <= cardinality(baseline);
    size integer := least(cardinality(baseline), cardinality(candidate));
    chosen integer[] := array(select generate_series(1, size));
    noise float8;
    observed float8;
    sum_of_chosen float8;
    place integer;
    lower bigint := 0;
    equal bigint := 0;
    arrangements bigint := 0;
begin
    if size = 0 or array_position(pooled, null) is not null
        or {{ schema }}.log_choose(total, size) > ln(1000.5)
    then
        return null;
    end if;
    noise := 1e-12 * total * (
        select max(abs(numbers.number)) from unnest(pooled) as numbers (number)
    );
    observed := (
        select sum(numbers.number)
        from unnest(case when is_candidate then candidate else baseline end)
            as numbers (number)
    );
    loop
        sum_of_chosen := 0;
        foreach place in array chosen loop
            sum_of_chosen := sum_of_chosen + pooled[place];
        end loop;
        arrangements := arrangements + 1;
        if abs(sum_of_chosen - observed) <= noise then
            equal := equal + 1;
        elsif sum_of_chosen < observed then
            lower := lower + 1;
        end if;
        -- the next choice: the last place that can move on does
        place := size;
        while place > 0 loop
            exit when chosen[place] < total - size + place;
            place := place - 1;
        end loop;
        exit when place = 0;
        chosen[place] := chosen[place] + 1;
        while place < size loop
            place := place + 1;
            chosen[place] := chosen[place - 1] + 1;
        end loop;
    end loop;
    if not is_candidate then
        -- a low candidate is a high baseline
        lower := arrangements - lower - equal;
    end if;
    return (lower + equal / 2.0::float8) / arrangements;
end
$function$;
comment on function {{ schema }}.permutation_mid_p_less(float8[], float8[]) is
'One-sided mid-p value that the candidate''s mean is so low, over all ways to deal the runs out to the arms; null where these are more than 1,000. scipy.stats.permutation_test. E. J. G. Pitman (1937), JRSS Suppl. 4.';

create or replace function {{ schema }}.flips_cdf(
    flips float8, passes float8, runs float8
)
returns float8
language plpgsql immutable parallel safe strict
as $function$
declare
    failures float8;
    ways float8;
    pieces float8;
    total float8 := 0;
begin
    if not (passes >= 0 and passes <= runs and runs < 1e5)
        or passes <> floor(passes) or runs <> floor(runs) or flips = 'NaN'::float8
    then
        return null;
    end if;
    failures := runs - passes;
    if flips < least(1, passes, failures) then
        return 0;
    elsif flips >= least(2 * least(passes, failures), runs - 1) then
        return 1;
    end if;
    ways := {{ schema }}.log_choose(runs, passes);
    for flip in 1 .. floor(flips)::integer loop
        -- stretches of either kind: as many of both, or one more of one
        pieces := (flip + 1) / 2;
        if flip % 2 = 1 then
            total := total + 2 * {{ schema }}.safe_exp(
                {{ schema }}.log_choose(passes - 1, pieces - 1)
                + {{ schema }}.log_choose(failures - 1, pieces - 1) - ways
            );
        else
            total := total + coalesce({{ schema }}.safe_exp(
                {{ schema }}.log_choose(passes - 1, pieces)
                + {{ schema }}.log_choose(failures - 1, pieces - 1) - ways
            ), 0) + coalesce({{ schema }}.safe_exp(
                {{ schema }}.log_choose(passes - 1, pieces - 1)
                + {{ schema }}.log_choose(failures - 1, pieces) - ways
            ), 0);
        end if;
    end loop;
    return least(1, total);
end
$function$;
comment on function {{ schema }}.flips_cdf(float8, float8, float8) is
'P(F <= f): F the changes between one run and the next, all orders of passes and failures alike; their mean is 2 passes failures / runs. A. Wald and J. Wolfowitz (1940), Ann. Math. Stat. 11.';

{% endmacro %}
