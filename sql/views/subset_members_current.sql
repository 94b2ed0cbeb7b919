-- The members of the newest version of every subset.
--
-- A version that was not finished has members and no row in `subsets`: it does not appear here.
select subset_members.*
from subset_members
inner join subset_current
    on
        subset_members.subset = subset_current.subset
        and subset_members.version = subset_current.version
