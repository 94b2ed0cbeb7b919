-- How often do the space group that matlake finds and the one that the source states agree?
--
-- param limit integer = 20 : most kinds of disagreement per source
--
-- column source : database
-- column spacegroup_source : space group that the source states; null = any (the row about all of them)
-- column spacegroup_number : space group that matlake finds; null = any
-- column n_rows : rows with these two numbers; in the row about all, rows that have both
-- column disagreeing_rows : rows of these in which the two differ
-- column disagreeing_percent : disagreeing_rows of n_rows
with compared as (
    select
        source,
        spacegroup_source,
        spacegroup_number,
        count(*) as n_rows,
        count(*) filter (where spacegroup_source != spacegroup_number) as disagreeing_rows
    from calculations
    where spacegroup_source is not null and spacegroup_number is not null
    group by grouping sets ((source), (source, spacegroup_source, spacegroup_number))
)

select
    source,
    spacegroup_source,
    spacegroup_number,
    n_rows,
    disagreeing_rows,
    100.0 * disagreeing_rows / n_rows as disagreeing_percent
from compared
where spacegroup_number is null or disagreeing_rows > 0
qualify
    row_number() over (
        partition by source
        order by spacegroup_number is not null, n_rows desc, spacegroup_source asc, spacegroup_number asc
    ) <= $limit + 1
order by source asc, spacegroup_number is not null, n_rows desc, spacegroup_source asc, spacegroup_number asc
