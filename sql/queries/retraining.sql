-- Which decisions did `matlake retrain` take, newest first, and why?
--
-- param name varchar = 'any' : only decisions on this name of models; any = all
--
-- column name : name of the models
-- column decision : counts up from 1 within a name
-- column champion_id : the champion before; null = there was none
-- column challenger_id : the model that was trained anew
-- column promoted : whether the challenger became the champion
-- column is_champion : whether it is the champion now
-- column n : rows that both were evaluated on, seen by neither
-- column champion_mae : mean absolute error of the champion on them, in unit
-- column challenger_mae : mean absolute error of the challenger on them, in unit
-- column difference : challenger minus champion, in unit
-- column difference_low : lower end of its 95 % interval (paired bootstrap over materials)
-- column difference_high : upper end
-- column margin : how much worse the challenger was allowed to be, in unit
-- column unit : unit of the errors
-- column reason : why, in words
-- column decided_at : when
select
    name,
    decision,
    champion_id,
    challenger_id,
    promoted,
    promoted and decision = max(decision) filter (where promoted) over (partition by name) as is_champion,
    n,
    champion_mae,
    challenger_mae,
    difference,
    difference_low,
    difference_high,
    margin,
    unit,
    reason,
    decided_at
from promotions
where $name = 'any' or name = $name
order by name asc, decision desc
