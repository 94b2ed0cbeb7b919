"""A search in numbers and words: what it found, gained and cost, candidate by candidate and by size."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from analytics.report.ask import Asker
from analytics.report.formats import NARROW_SPACE, count, digits_of, finite, number, percent, shortened
from analytics.report.section import Sources
from analytics.report.studies.front import front

COMPLETED, PRUNED, FAILED = "completed", "pruned", "failed"
STATE_WORDS = {COMPLETED: "trained to the end", PRUNED: "ended early", FAILED: "failed"}
NUMBERS = ("validation_rmse", "validation_mae", "prediction_ms")
Row = dict[str, Any]


def trials_of(asker: Asker, search_id: str) -> list[Row]:
    """The candidates of a search: those trained to the end first, each sort by its error."""
    # A number below 0 is the claim of a search that is being written.
    trials = asker.select("select * from trials where search_id = $search and trial >= 0", search=search_id)
    for trial in trials:
        for name in NUMBERS:
            trial[name] = finite(trial[name])
        trial["words"] = parameters(trial)
        trial["ended"] = STATE_WORDS.get(trial["state"], trial["state"])
    order = {state: place for place, state in enumerate((COMPLETED, PRUNED))}
    trials.sort(key=lambda t: (order.get(t["state"], 2), t["validation_rmse"] is None, t["validation_rmse"] or 0.0,
                               t["trial"]))
    return trials


def completed(trials: Sequence[Row]) -> list[Row]:
    """Those trained to the end, whose errors compare."""
    return [trial for trial in trials if trial["state"] == COMPLETED and trial["validation_rmse"] is not None]


def digits_for(trials: Sequence[Row]) -> int:
    """Decimals that three digits of the least error need."""
    return digits_of(trial["validation_rmse"] for trial in trials)


def parameters(trial: Row) -> str:
    """A candidate's values as `name value` with commas."""
    try:
        values = json.loads(trial["parameters_json"])
    except ValueError:
        values = None
    if not isinstance(values, dict):
        return str(trial["parameters_json"])
    return ", ".join(f"{name.rpartition('.')[2].replace('_', ' ')} {_value(value)}"
                     for name, value in sorted(values.items())) or "no value varied"


def _value(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def tiles(row: Row, digits: int) -> list[tuple[str, str]]:
    """What was found, gained and paid, each as a number and what it is; what is not known is left out."""
    unit, found = shortened(row["unit"], 30), []
    for name, words in (("best_rmse", "best"), ("mean_rmse", "mean"), ("median_rmse", "median")):
        if row[name] is not None:
            found.append((number(row[name], digits), f"{words} validation RMSE ({unit})"))
    gain = gain_of(row)
    if gain is not None:
        found.append((percent(100 * gain), "gain: 1 − best / mean"))
    full = row["full_device_hours"]
    found.append((hours(row["device_hours"]), "on devices" + ("" if full is None else
                                                              f"; {hours(full)} with all trained to the end")))
    if row["cost"] is not None:
        full_cost = "" if row["full_cost"] is None else f"; full price {number(row['full_cost'], 2)}"
        found.append((number(row["cost"], 2), f"cost at {number(row['price_per_hour'], 2)} an hour{full_cost}"))
    return found


def gain_of(row: Row) -> float | None:
    """1 − best / mean, as the paper has it (474 against 556 meV are 14.7 %); None = no candidate came to its end."""
    best, mean = row["best_rmse"], row["mean_rmse"]
    return 1 - best / mean if best is not None and mean else None


def hours(value: float) -> str:
    """A time on devices in the unit that fits."""
    if value >= 1:
        return f"{number(value, 1)}{NARROW_SPACE}h"
    if 60 * value >= 1:
        return f"{number(60 * value, 1)}{NARROW_SPACE}min"
    return f"{number(3600 * value, 1)}{NARROW_SPACE}s"


def facts(row: Row, sources: Sources) -> list[tuple[str, str]]:
    """What was searched and how, as pairs of words."""
    states = [f"{count(row[f'n_{state}'])} {STATE_WORDS[state]}" for state in (COMPLETED, PRUNED, FAILED)]
    steps, full = row["training_steps"], row["full_training_steps"]
    share = f" of {count(full)} with all trained to the end ({number(100 * steps / full, 0)} %)" if full else ""
    found = [
        ("network", f"{row['kind']} on {', '.join(sources.short(name) for name in row['sources'])}"),
        ("candidates", f"{count(row['n_candidates'])}: {', '.join(states)}"),
        ("gradient steps", f"{count(steps)}{share}"),
        ("sampler and pruner", f"{row['sampler']}, {row['pruner']}"),
    ]
    if row["price_per_hour"] is None:
        found.append(("cost", "not known: the search was given no price per hour"))
    if row["model_id"]:
        became = f" ({row['promotion']})" if row["promotion"] else ""
        found.append(("ensemble of the best", f"{row['model_id']}{became}"))
    return found


def by_size(trials: Sequence[Row]) -> Row | None:
    """Least error by message-passing steps (rows) and latent size (columns), Figure 7 of the paper.

    Errors are of candidates trained to the end: those ended early had fewer steps. None where there is no error, or
    all candidates have one size.
    """
    sizes: dict[tuple[int, int], list[Row]] = defaultdict(list)
    for trial in trials:
        if trial["message_passing_steps"] is not None and trial["channels"] is not None:
            sizes[trial["message_passing_steps"], trial["channels"]].append(trial)
    best = {size: min(trial["validation_rmse"] for trial in done) for size, tried in sizes.items()
            if (done := completed(tried))}
    if not best or len(sizes) < 2:
        return None
    low, high = min(best.values()), max(best.values())
    digits = digits_of(best.values())
    steps, channels = (sorted({size[place] for size in sizes}) for place in (0, 1))

    def cell(size: tuple[int, int]) -> Row | None:
        if size not in sizes:
            return None
        n, n_done = len(sizes[size]), len(completed(sizes[size]))
        if size not in best:
            return {"rmse": None, "n": f"{count(n)} tried, none to the end", "strength": 0, "best": False}
        strength = 100 * (high - best[size]) / (high - low) if high > low else 100.0
        return {"rmse": number(best[size], digits), "n": f"{count(n_done)} of {count(n)}",
                "strength": round(strength), "best": best[size] == low}

    return {"channels": channels, "lines": [(one, [cell((one, width)) for width in channels]) for one in steps]}


def one_size(trials: Sequence[Row]) -> str:
    """Why there is no figure of sizes."""
    if not completed(trials):
        return "No candidate was trained to the end, so there is no least error and no gain."
    sizes = {(trial["message_passing_steps"], trial["channels"]) for trial in trials}
    if len(sizes) == 1 and None not in (size := next(iter(sizes))):
        return (f"All candidates have {count(size[0])} message-passing steps and a latent size of {count(size[1])}: "
                "this search did not vary them.")
    return "Message-passing steps or latent size are not known of these candidates: this search did not vary them."


def on_front(trials: Sequence[Row]) -> set[int]:
    """Candidates trained to the end that no other beats in both error and time of a prediction."""
    timed = {trial["trial"]: (float(trial["prediction_ms"]), float(trial["validation_rmse"]))
             for trial in completed(trials) if trial["prediction_ms"] is not None}
    points = set(front(timed.values()))
    return {number_ for number_, point in timed.items() if point in points}


def best_candidates(trials: Sequence[Row], most: int) -> list[Row]:
    """Those to be listed: of the least errors, and on the front, best first."""
    members = on_front(trials)
    done = completed(trials)
    listed = done[:most] + [trial for trial in done[most:] if trial["trial"] in members][:most]
    return [trial | {"front": trial["trial"] in members} for trial in listed]
