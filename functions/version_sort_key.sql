{#
    Text that sorts (collation "C") as Semantic Versioning 2.0.0, section 11,
    orders versions; null for a label that is no version number.

    Accepted beyond the standard: a leading v, any number of numeric parts
    (missing ones count as 0), leading zeros, and calendar dates with hyphens
    (2025-01-15, 2025-01). A single number counts only without a suffix, and
    from seven digits on only as a date or time (20250115, 202501151230): else
    it is a commit's short hash, or a number that grows with time anyway.

    Layout: core parts, '!', then '~' for a release or '-' and the pre-release
    identifiers. A number is its digit count in four digits, then its digits.
    Separators sort before all that may follow them. Versions of equal
    precedence (build metadata, 1.2 and 1.2.0) have one key.
#}
with

labels as (
    select
        regexp_replace(
            regexp_replace(
                label,
                '^[vV]?((?:19|20)\d{2})-(\d{2})-(\d{2})(?![0-9A-Za-z])',
                '\1.\2.\3'
            ),
            '^[vV]?((?:19|20)\d{2})-(\d{2})$',
            '\1.\2'
        ) as dotted_label
),

matches as (
    select
        regexp_match(
            dotted_label,
            '^[vV]?(\d+(?:\.\d+)*)'
            '(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?'
            '(\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$'
        ) as matched
    from labels
),

parts as (
    select
        regexp_replace(matched[1], '(\.0+)+$', '') as core,
        matched[2] as pre_release
    from matches
    where
        position('.' in matched[1]) > 0
        or (
            matched[2] is null
            and matched[3] is null
            and (
                label !~ '^[0-9]{7,}$'
                or label ~ (
                    '^(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])'
                    '(([01][0-9]|2[0-3])[0-5][0-9]([0-5][0-9])?)?$'
                )
            )
        )
)

select
    (
        select
            string_agg(
                lpad(length(ltrim(part, '0'))::text, 4, '0')
                || ltrim(part, '0'),
                '' order by place
            )
        from
            unnest(string_to_array(core, '.'))
            with ordinality as core_parts (part, place)
    )
    || '!'
    || coalesce(
        '-' || (
            select
                string_agg(
                    case
                        when identifier ~ '^\d+$'
                            then
                                '0'
                                || lpad(
                                    length(ltrim(identifier, '0'))::text, 4, '0'
                                )
                                || ltrim(identifier, '0')
                        else '1' || identifier
                    end || '!',
                    '' order by place
                )
            from
                unnest(string_to_array(pre_release, '.'))
                with ordinality as identifiers (identifier, place)
        ),
        '~'
    ) as sort_key
from parts
where core is not null
