-- Which searches are meant?
--
-- search : a search (name.number); a name = its newest search; newest = the one that ended last; any = all of them
--
-- Columns: those of searches.
create or replace macro chosen_searches(search) as table
    select *
    from searches
    qualify
        search = 'any'
        or search_id = search
        or (name = search and row_number() over (partition by name order by created_at desc, search_id desc) = 1)
        or (search = 'newest' and row_number() over (order by created_at desc, search_id desc) = 1)
