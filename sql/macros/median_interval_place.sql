-- Place, among n sorted values, of the lower end of the 95 % bootstrap interval of their median; the upper
-- end stands at n + 1 − place. See offset_statistics for where it comes from.
create or replace macro median_interval_place(n) as
cast(greatest(
    1,
    ceil(n * (0.5 - (1.959964 - (1.959964 ** 3 - 3 * 1.959964) / (4 * (n + 4))) / (2 * sqrt(n + 2))))
) as bigint)
