-- What comes twice is taken once, whatever came in between: a batch of a
-- recorder that went to the database and to the spool, and a file that is
-- loaded again every night.

create table raw_evals.deliveries (
    -- drawn by whoever hands records over, once for each batch
    delivery_id uuid primary key,
    load_id bigint not null
);

comment on table raw_evals.deliveries is
'One row per batch of records that was taken: it is not taken again.';

create trigger deliveries_are_kept
before update or delete or truncate on raw_evals.deliveries
for each statement execute function raw_evals.refuse_change();

create table raw_evals.loaded_files (
    load_id bigint not null,
    source text not null,
    -- the first half of the SHA-256 of the file as it was stored
    content_hash uuid not null,
    byte_count bigint not null check (byte_count >= 0),
    -- as it was named then
    origin text not null,
    primary key (content_hash, source, load_id)
);

comment on table raw_evals.loaded_files is
'One row per file and load that was the first to bring its content.';

create trigger loaded_files_are_kept
before update or delete or truncate on raw_evals.loaded_files
for each statement execute function raw_evals.refuse_change();
