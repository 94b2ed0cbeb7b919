-- Which class of models is better on the same rows, at nearly as many parameters, by default, and at its best?
--
-- One row per pair of models of different kinds.
--
-- param comparison varchar = 'any' : a study, or lake:<data>:<rows> for models of the lake; any = all
-- param pairing varchar = 'any' [parameters|defaults|best|any] : what brought the two together
--
-- column comparison : study, or lake:<data>:<rows>
-- column pairing : parameters: of nearly as many; defaults: as they are made without settings; best: the best of either
-- column left_id : one model
-- column right_id : the other
-- column left_parameters : parameters of the one
-- column right_parameters : parameters of the other
-- column target : column that both predict
-- column unit : unit of the errors
-- column measure : mae, or rmsle: of log(1 + value)
-- column left_error : error of the one
-- column right_error : error of the other
-- column difference : right minus left: above 0 the left one is better
-- column difference_low : lower end of its 95 % interval
-- column difference_high : upper end
-- column better : kind of the better one; null = the interval holds 0, or there is none
-- column n : rows that both were judged on
-- column n_materials : materials of them
-- column paper_left : error that the paper gives for the kind on the left
-- column paper_right : error that it gives for the kind on the right
-- column reasons : what differs from the paper
select
    comparison,
    pairing,
    left_id,
    right_id,
    left_parameters,
    right_parameters,
    target,
    unit,
    measure,
    left_error,
    right_error,
    difference,
    difference_low,
    difference_high,
    case
        when difference_low > 0 then left_kind
        when difference_high < 0 then right_kind
    end as better,
    n,
    n_materials,
    paper_left,
    paper_right,
    reasons
from model_comparisons
where
    ($comparison = 'any' or comparison = $comparison)
    and ($pairing = 'any' or pairing = $pairing)
order by
    comparison asc,
    case pairing when 'parameters' then 1 when 'defaults' then 2 else 3 end asc,
    measure asc,
    left_parameters asc,
    left_id asc,
    right_id asc
