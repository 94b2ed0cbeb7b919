-- How many materials do two databases have in common?
--
-- One row per pair of sources and kind of key, pairs without a common key included. A row passes the paper's
-- filters by default: PBE (or a functional that is not known), formation energy and band gap present.
--
-- param functional varchar = 'pbe' : functional of the formation energy to keep where it is known; any = all
-- param unknown_functional varchar = 'keep' [keep|drop] : what happens to rows of unknown functional
-- param require_formation_energy boolean = true : drop rows without formation energy
-- param require_band_gap boolean = true : drop rows without band gap
-- param include_deprecated boolean = false : keep rows that their source has withdrawn
--
-- column left_source : the source that is first in the alphabet
-- column right_source : the other one
-- column key_kind : cell_key (formula of the cell and space group, as the paper) or reduced_key
-- column left_rows : rows of the left source after the filters
-- column right_rows : rows of the right source after the filters
-- column left_keys : different keys among them
-- column right_keys : different keys among them
-- column common_keys : keys that both have
-- column left_share_percent : common_keys of left_keys
-- column right_share_percent : common_keys of right_keys
-- column smaller_share_percent : common_keys of the smaller of left_keys and right_keys
-- column jaccard_percent : common_keys of the keys that either has
-- column left_unknown_functional_rows : left rows whose functional is not known
-- column right_unknown_functional_rows : right rows whose functional is not known
--
-- The paper finds 8,591 common keys among 61,898 and 60,289 rows and calls them 16 %. 8,591 of the rows would
-- be 14 %; 16 % would be 8,591 of some 53,700 different keys. The shares here are of keys.
--
-- Keys are compared by their 64-bit hash: among 10 million, a collision has a chance of 3 in a million. At most
-- 32 sources are told apart.
with places as (
    select
        source,
        row_number() over (order by source) - 1 as place
    from (select distinct source from calculations) as sources
),

-- A place in a list costs a third of a join on the name.
ordered as (
    select list(source order by place) as sources
    from places
),

chosen as materialized (
    select
        cast(list_position((select ordered.sources from ordered), passed.source) - 1 as ubigint) as place,
        if(passed.cell_key is null, null, hash(passed.cell_key)) as cell_hash,
        if(passed.reduced_key is null, null, hash(passed.reduced_key)) as reduced_hash,
        passed.functional_unknown
    from
        selected(
            $functional, $unknown_functional, 'energy',
            $require_formation_energy, $require_band_gap, $include_deprecated
        ) as passed
),

-- Which sources have a key, as bits: the lower 32 as a cell key, the upper 32 as a reduced key. Most rows have
-- the same text for both, and are one row here.
keyed as (
    select
        cell_hash as key_hash,
        (cast(1 as ubigint) << place)
        | if(coalesce(reduced_hash = cell_hash, false), cast(1 as ubigint) << (place + 32), cast(0 as ubigint))
            as held
    from chosen
    where cell_hash is not null
    union all
    select
        reduced_hash as key_hash,
        cast(1 as ubigint) << (place + 32) as held
    from chosen
    where reduced_hash is not null and reduced_hash is distinct from cell_hash
),

holders as (
    select bit_or(held) as held
    from keyed
    group by key_hash
),

patterns as (
    select
        held,
        count(*) as n_keys
    from holders
    group by held
),

groups as (
    select
        'cell_key' as key_kind,
        held & 4294967295 as held_by,
        n_keys
    from patterns
    union all
    select
        'reduced_key' as key_kind,
        held >> 32 as held_by,
        n_keys
    from patterns
),

totals as (
    select
        place,
        count(*) as n_rows,
        count(*) filter (where functional_unknown) as n_unknown
    from chosen
    group by place
),

pairs as (
    select
        l.source as left_source,
        r.source as right_source,
        kinds.key_kind,
        l.place as left_place,
        r.place as right_place
    from places as l
    inner join places as r on l.place < r.place
    cross join (values ('cell_key'), ('reduced_key')) as kinds (key_kind)
),

pair_keys as (
    select
        pairs.left_source,
        pairs.right_source,
        pairs.key_kind,
        sum(groups.n_keys) filter (where (groups.held_by >> pairs.left_place) & 1 = 1) as left_keys,
        sum(groups.n_keys) filter (where (groups.held_by >> pairs.right_place) & 1 = 1) as right_keys,
        sum(groups.n_keys) filter (
            where (groups.held_by >> pairs.left_place) & 1 = 1
            and (groups.held_by >> pairs.right_place) & 1 = 1
        ) as common_keys
    from pairs
    left join groups on pairs.key_kind = groups.key_kind
    group by pairs.left_source, pairs.right_source, pairs.key_kind
),

counted as (
    select
        pairs.left_source,
        pairs.right_source,
        pairs.key_kind,
        coalesce(l.n_rows, 0) as left_rows,
        coalesce(r.n_rows, 0) as right_rows,
        cast(coalesce(pair_keys.left_keys, 0) as bigint) as left_keys,
        cast(coalesce(pair_keys.right_keys, 0) as bigint) as right_keys,
        cast(coalesce(pair_keys.common_keys, 0) as bigint) as common_keys,
        coalesce(l.n_unknown, 0) as left_unknown_functional_rows,
        coalesce(r.n_unknown, 0) as right_unknown_functional_rows
    from pairs
    left join totals as l on pairs.left_place = l.place
    left join totals as r on pairs.right_place = r.place
    left join pair_keys using (left_source, right_source, key_kind)
)

select
    left_source,
    right_source,
    key_kind,
    left_rows,
    right_rows,
    left_keys,
    right_keys,
    common_keys,
    100.0 * common_keys / nullif(left_keys, 0) as left_share_percent,
    100.0 * common_keys / nullif(right_keys, 0) as right_share_percent,
    100.0 * common_keys / nullif(least(left_keys, right_keys), 0) as smaller_share_percent,
    100.0 * common_keys / nullif(left_keys + right_keys - common_keys, 0) as jaccard_percent,
    left_unknown_functional_rows,
    right_unknown_functional_rows
from counted
order by left_source, right_source, key_kind
