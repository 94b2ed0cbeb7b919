-- The newest version of every subset: its recipe, rules, counts and pinned table versions.
select *
from subsets
qualify version = max(version) over (partition by subset)
