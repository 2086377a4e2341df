{# Metrics of a task that was run n times and succeeded c times. #}
{% macro statistical_functions_repeated_runs(schema) %}

create or replace function {{ schema }}.pass_at_k(n bigint, c bigint, k bigint)
returns float8
language plpgsql immutable parallel safe strict
as $function$
declare
    steps bigint := least(c, k);
    step_size float8 := greatest(c, k);
    fails float8 := 1;
    passes float8 := 0;
begin
    if k < 1 or c < 0 or c > n or k > n then
        return null;
    elsif n - c < k then
        return 1;
    end if;
    -- C(n - c, k) / C(n, k), which is symmetric in c and k, term by term;
    -- the complement is summed, not subtracted
    for index in 0 .. steps - 1 loop
        passes := passes + fails * (step_size / (n - index));
        fails := fails * (1 - step_size / (n - index));
        exit when fails < 1e-30;
    end loop;
    return least(1, passes);
end
$function$;
comment on function {{ schema }}.pass_at_k(bigint, bigint, bigint) is
'Unbiased probability that at least one of k runs succeeds, from c successes in n runs: 1 - C(n-c, k) / C(n, k). M. Chen et al. (2021), arXiv 2107.03374.';

create or replace function {{ schema }}.pass_hat_k(n bigint, c bigint, k bigint)
returns float8
language plpgsql immutable parallel safe strict
as $function$
declare
    passes float8 := 1;
begin
    if k < 1 or c < 0 or c > n or k > n then
        return null;
    elsif c < k then
        return 0;
    elsif c = n then
        return 1;
    end if;
    -- C(c, k) / C(n, k) = C(n - k, n - c) / C(n, n - c): take the shorter product
    if k <= n - c then
        for index in 0 .. k - 1 loop
            passes := passes * ((c - index)::float8 / (n - index));
            exit when passes < 1e-290;
        end loop;
    else
        for index in 0 .. n - c - 1 loop
            passes := passes * ((n - k - index)::float8 / (n - index));
            exit when passes < 1e-290;
        end loop;
    end if;
    return case when passes < 1e-290 then 0 else passes end;
end
$function$;
comment on function {{ schema }}.pass_hat_k(bigint, bigint, bigint) is
'Unbiased probability that all of k runs succeed, from c successes in n runs: C(c, k) / C(n, k). S. Yao et al. (2024), arXiv 2406.12045.';

{% endmacro %}
