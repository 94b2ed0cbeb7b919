"""Which failures of a task another try may mend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def worth_another_try(*errors: type[Exception]) -> Callable[[object, object, Any], bool]:
    """A `retry_condition_fn`: true where a try ended with one of these errors.

    Commits and servers may do better at another try; settings and inputs will not.
    """

    def again(_task: object, _run: object, state: Any) -> bool:
        return isinstance(state.result(raise_on_failure=False), errors)

    return again
