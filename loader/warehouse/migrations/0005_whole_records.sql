-- What other people's files carry: scales of their own, values that could not
-- be taken, tokens by kind, and what was asked and answered. Every column is
-- null in rows of before, so that nothing is rewritten.

alter table raw_evals.evaluation_runs
-- {key: [min, max]} of each score not on 0 to 1; {key: null} where nobody
-- declared a scale and the value is off 0 to 1. Null: of before, by the seed
add column score_scales jsonb,
-- {"scores.accuracy": 7, "cost_usd": -1}: values that were not taken, by field
add column set_aside jsonb,
-- true: named neither run nor repetition; the id says which such line it was
add column is_id_derived boolean,
add column trace_url text,
add column prompt_tokens bigint,
add column completion_tokens bigint,
add column cached_tokens bigint,
add column reasoning_tokens bigint,
-- the first half of the SHA-256 of the canonical JSON, whether kept or not
add column inputs_id uuid,
add column outputs_id uuid,
add column reference_outputs_id uuid,
-- {evaluator key: text}
add column comments jsonb;  -- noqa: RF04

-- for rows to come: a load leaves out the columns that none of its records uses
alter table raw_evals.evaluation_runs alter column score_scales set default '{}';

alter table raw_evals.loads
add column values_set_aside bigint check (values_set_aside >= 0);

create table raw_evals.contents (
    content_id uuid primary key,
    content jsonb not null,  -- noqa: RF04
    load_id bigint not null,
    kept_at timestamptz not null default now()
);

comment on table raw_evals.contents is
'One row per input, output or reference that a load was asked to keep.';

create index contents_kept_at_idx on raw_evals.contents using brin (kept_at);
