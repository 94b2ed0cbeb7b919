-- The split that a material belongs to: 'train', 'validation' or 'test'.
--
-- reduced_key : the material; train, validation : shares, the rest is the test
--
-- The first 52 bits of the key's SHA-256 place it between 0 and 1. So a material has one split in every
-- database, every subset and every version, and a larger share only ever adds to what came before it.
create or replace macro material_split(reduced_key, train, validation) as
case
    when cast(('0x' || left(sha256(reduced_key), 13)) as bigint) / 4503599627370496.0 < train then 'train'
    when cast(('0x' || left(sha256(reduced_key), 13)) as bigint) / 4503599627370496.0 < train + validation
        then 'validation'
    else 'test'
end
