-- The mean value of an element property over the atoms of a crystal; null where an element has none.
--
-- species : element of every site; property : see element_value
create or replace macro element_mean(species, property) as
case
    when len(list_filter(species, lambda s: element_value(s, property) is null)) = 0
        then list_avg(list_transform(species, lambda s: element_value(s, property)))
end
