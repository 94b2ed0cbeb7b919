"""Retraining one name: the subset is made anew first, so that the model sees what was ingested since."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lake.store.lake import Lake
    from ml.progress import Progress
    from ml.retrain.retrain import Outcome


def retrain_one(
    lake: Lake, name: str, margin: float, *, curate: bool = True, progress: Progress | None = None
) -> Outcome:
    """Make the champion's subset anew, and train a challenger where its data changed.

    Args:
        lake: where data and models are.
        name: of the models.
        margin: how much worse the challenger may be, as a share of the champion's mean absolute error.
        curate: whether to make the subset anew; where neither recipe nor tables changed, that does nothing.
        progress: called now and then by the training.

    Raises:
        InputError: see :func:`ml.retrain.retrain.retrain` and :func:`analytics.subsets.curate.curate`.
    """
    from ml.registry import find
    from ml.retrain.decide import check_margin
    from ml.retrain.retrain import refuse_corrected, retrain

    check_margin(margin)
    champion = find(lake, name)
    refuse_corrected(champion)
    if curate and champion["subset"] is not None:
        from analytics.subsets.curate import curate as make_anew
        from analytics.subsets.saved import find as find_subset

        make_anew(lake, find_subset(lake, champion["subset"]).recipe)
    return retrain(lake, name, margin=margin, progress=progress)
