"""Features as text, as LaTeX, and as expressions of DuckDB's SQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from ml.sisso.expression import Expression, Feature, Primary

SUM, PRODUCT, POWER, ATOM = 1, 2, 3, 4
"""How tightly parts hold together: what is looser than its place is put in parentheses."""
Written = tuple[str, int]

Form = Mapping[str, tuple[str, int, int, int]]
TEXT: Form = {
    "+": ("{0} + {1}", SUM, SUM, SUM),
    "-": ("{0} − {1}", SUM, SUM, PRODUCT),
    "|-|": ("|{0} − {1}|", ATOM, SUM, PRODUCT),
    "*": ("{0}·{1}", PRODUCT, PRODUCT, PRODUCT),
    "/": ("{0}/{1}", PRODUCT, PRODUCT, POWER),
    "exp": ("exp({0})", ATOM, 0, 0),
    "exp-": ("exp(−{0})", ATOM, PRODUCT, 0),
    "^-1": ("1/{0}", PRODUCT, POWER, 0),
    "^2": ("{0}²", POWER, ATOM, 0),
    "^3": ("{0}³", POWER, ATOM, 0),
    "^6": ("{0}⁶", POWER, ATOM, 0),
    "sqrt": ("√({0})", ATOM, 0, 0),
    "cbrt": ("∛({0})", ATOM, 0, 0),
    "log": ("ln({0})", ATOM, 0, 0),
    "|x|": ("|{0}|", ATOM, 0, 0),
    "sin": ("sin({0})", ATOM, 0, 0),
    "cos": ("cos({0})", ATOM, 0, 0),
}
LATEX: Form = {
    "+": ("{0} + {1}", SUM, SUM, SUM),
    "-": ("{0} - {1}", SUM, SUM, PRODUCT),
    "|-|": (r"\left|{0} - {1}\right|", ATOM, SUM, PRODUCT),
    "*": (r"{0} \, {1}", PRODUCT, PRODUCT, PRODUCT),
    "/": (r"\frac{{{0}}}{{{1}}}", ATOM, 0, 0),
    "exp": (r"\exp\left({0}\right)", ATOM, 0, 0),
    "exp-": (r"\exp\left(-{0}\right)", ATOM, PRODUCT, 0),
    "^-1": (r"\frac{{1}}{{{0}}}", ATOM, 0, 0),
    "^2": ("{0}^{{2}}", POWER, ATOM, 0),
    "^3": ("{0}^{{3}}", POWER, ATOM, 0),
    "^6": ("{0}^{{6}}", POWER, ATOM, 0),
    "sqrt": (r"\sqrt{{{0}}}", ATOM, 0, 0),
    "cbrt": (r"\sqrt[3]{{{0}}}", ATOM, 0, 0),
    "log": (r"\ln\left({0}\right)", ATOM, 0, 0),
    "|x|": (r"\left|{0}\right|", ATOM, 0, 0),
    "sin": (r"\sin\left({0}\right)", ATOM, 0, 0),
    "cos": (r"\cos\left({0}\right)", ATOM, 0, 0),
}
# What is not defined is null, as in all of the lake, where DuckDB's own functions would end the query.
SQL: Mapping[str, str] = {
    "+": "({0} + {1})",
    "-": "({0} - {1})",
    "|-|": "abs({0} - {1})",
    "*": "({0} * {1})",
    "/": "({0} / nullif({1}, 0))",
    "exp": "exp(if({0} < 709, {0}, null))",
    "exp-": "exp(-if({0} > -709, {0}, null))",
    "^-1": "(1 / nullif({0}, 0))",
    "^2": "pow({0}, 2)",
    "^3": "pow({0}, 3)",
    "^6": "pow({0}, 6)",
    "sqrt": "sqrt(if({0} >= 0, {0}, null))",
    "cbrt": "cbrt({0})",
    "log": "ln(if({0} > 0, {0}, null))",
    "|x|": "abs({0})",
    "sin": "sin({0})",
    "cos": "cos({0})",
}


def as_text(feature: Feature) -> str:
    """A feature for a person, such as ``(a_ev − b_ev)/c_angstrom²``."""
    return _written(feature, TEXT, lambda one: one.name)[0]


def as_latex(feature: Feature) -> str:
    """A feature in LaTeX."""
    return _written(feature, LATEX, lambda one: one.latex or latex_name(one.name))[0]


def as_sql(feature: Feature, columns: Mapping[str, str] | None = None) -> str:
    """A feature as an expression of DuckDB's SQL.

    Args:
        feature: what.
        columns: primary feature → expression that gives it; others are columns of that name.
    """
    if isinstance(feature, Primary):
        return (columns or {}).get(feature.name) or quoted(feature.name) + "::double"
    return SQL[feature.operator].format(*(as_sql(one, columns) for one in feature.operands))


def quoted(name: str) -> str:
    """A column's name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def latex_name(name: str) -> str:
    """A column's name in LaTeX, upright."""
    return r"\mathrm{" + re.sub(r"([_%&#$])", r"\\\1", re.sub(r"[\\{}^~]", "", name)) + "}"


def _written(feature: Feature, form: Form, name: Callable[[Primary], str]) -> Written:
    if isinstance(feature, Primary):
        return name(feature), ATOM
    assert isinstance(feature, Expression)
    pattern, tight, *needed = form[feature.operator]
    parts = []
    for operand, need in zip(feature.operands, needed, strict=False):
        text, holds = _written(operand, form, name)
        parts.append(text if holds >= need else (rf"\left({text}\right)" if form is LATEX else f"({text})"))
    return pattern.format(*parts), tight
