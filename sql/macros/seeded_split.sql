-- The split that a material belongs to, for models: 'train', 'validation' or 'test'.
--
-- material_key : the material; all its rows, in every database, are in one split
-- seed : 0 = the splits of all subsets (material_split); any other number = other ones, each its own
-- train, validation : shares, the rest is the test
create or replace macro seeded_split(material_key, seed, train, validation) as
material_split(
    case when seed = 0 then material_key else 'seed ' || cast(seed as varchar) || ': ' || material_key end,
    train,
    validation
)
