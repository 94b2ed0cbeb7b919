"""Any value that a structure may carry, as JSON and back, exactly: arrays, NaN, tuples, complex numbers.

Plain JSON values stand for themselves. Anything else is an object whose key ``@`` says what it is::

    {"@": "array", "dtype": "<f8", "shape": [2, 3], "items": [0.0, …]}     numpy array, row by row
    {"@": "scalar", "dtype": "<f4", "value": 0.5}                          numpy scalar (not float64)
    {"@": "float", "value": "nan"}                                         nan, inf, -inf
    {"@": "complex", "value": [re, im]}, {"@": "bytes", "value": "00ff"}
    {"@": "tuple", "items": […]}, {"@": "set", "items": […]}, {"@": "frozenset", "items": […]}
    {"@": "dict", "items": [[key, value], …]}                              keys other than texts, or a key "@"
    {"@": "Magmom", "value": [moment, axis]}                               pymatgen's Magmom, Element, Species
    {"@": "Spacegroup", "value": [number, setting]}                        ASE's Spacegroup

Nothing is imported or run because a text asks for it: only the forms above are read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from lake.errors import StructureError

TAG = "@"
_PLAIN_KINDS = "biufcUSO"


def dumps(value: Any, where: str) -> str:
    """A value as JSON text.

    Raises:
        StructureError: something in it has no exact JSON form; the message says where it is.
    """
    try:
        return json.dumps(encode(value, where), allow_nan=False, separators=(",", ":"))
    except RecursionError:
        raise StructureError(f"{where}: nested too deeply, or within itself") from None


def loads(text: str) -> Any:
    """The value in a JSON text of :func:`dumps`.

    Raises:
        StructureError: the text is no such JSON.
    """
    try:
        return decode(json.loads(text))
    except (ValueError, RecursionError, TypeError, KeyError, OverflowError) as error:
        raise StructureError(f"structure_extras_json cannot be read: {error!r:.200}") from None


def encode(value: Any, where: str) -> Any:
    """A value in terms of JSON's own types."""
    if isinstance(value, np.generic):
        return _encode_scalar(value, where)
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    if kind is float:
        return value if math.isfinite(value) else {TAG: "float", "value": repr(value)}
    if kind is list:
        return [encode(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if kind is dict:
        return _encode_dict(value, where)
    if kind in (tuple, set, frozenset):
        return {TAG: kind.__name__, "items": [encode(item, where) for item in value]}
    if kind is np.ndarray:
        return _encode_array(value, where)
    if kind is complex:
        return {TAG: "complex", "value": [encode(value.real, where), encode(value.imag, where)]}
    if kind is bytes:
        return {TAG: "bytes", "value": value.hex()}
    parts = _OBJECTS.get((kind.__module__.partition(".")[0], kind.__name__))
    if parts is not None:
        return {TAG: kind.__name__, "value": encode(parts(value), where)}
    raise StructureError(
        f"{where}: a {kind.__module__}.{kind.__qualname__} cannot be held in a row; "
        "make it numbers, texts, lists, dicts or numpy arrays, or remove it"
    )


def _encode_scalar(value: np.generic, where: str) -> Any:
    if type(value) is np.float64:
        return encode(float(value), where)
    array = _encode_array(np.asarray(value), where)
    return {TAG: "scalar", "dtype": array["dtype"], "value": array["items"][0]}


def _encode_array(array: np.ndarray[Any, Any], where: str) -> dict[str, Any]:
    # Doubles are what JSON numbers are read as; a wider float would be cut.
    wide = array.dtype.kind in "fc" and array.dtype.itemsize > (8 if array.dtype.kind == "f" else 16)
    if array.dtype.kind not in _PLAIN_KINDS or array.dtype.fields or wide:
        raise StructureError(f"{where}: an array of {array.dtype} cannot be held in a row; convert it to float64")
    items = [encode(item, where) for item in array.ravel().tolist()]
    return {TAG: "array", "dtype": array.dtype.str, "shape": list(array.shape), "items": items}


def _encode_dict(value: dict[Any, Any], where: str) -> dict[str, Any]:
    if all(type(key) is str for key in value) and TAG not in value:
        return {key: encode(item, f"{where}.{key}") for key, item in value.items()}
    return {TAG: "dict", "items": [[encode(k, where), encode(v, f"{where}.{k}")] for k, v in value.items()]}


def decode(value: Any) -> Any:
    """The value that :func:`encode` was given."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if TAG not in value:
        return {key: decode(item) for key, item in value.items()}
    reader = _READERS.get(value[TAG]) if isinstance(value[TAG], str) else None
    if reader is None:
        raise StructureError(f"structure_extras_json: {value[TAG]!r:.80} is no kind of value known here")
    return reader(value)


def _decode_array(form: dict[str, Any]) -> np.ndarray[Any, Any]:
    dtype = np.dtype(form["dtype"])
    items = decode(form["items"])
    flat = np.empty(len(items), dtype=dtype)
    # One by one, so that a list within an array of objects stays a list.
    for index, item in enumerate(items):
        flat[index] = item
    return flat.reshape(form["shape"])


def _decode_scalar(form: dict[str, Any]) -> Any:
    return np.array([decode(form["value"])], dtype=np.dtype(form["dtype"]))[0]


def _decode_object(form: dict[str, Any]) -> Any:
    parts = decode(form["value"])
    if form[TAG] == "Spacegroup":
        from ase.spacegroup import Spacegroup

        return Spacegroup(*parts)
    if form[TAG] == "Magmom":
        from pymatgen.electronic_structure.core import Magmom

        return Magmom(*parts)
    from pymatgen.core.periodic_table import Element, Species

    return Element(*parts) if form[TAG] == "Element" else Species(*parts)


_OBJECTS: dict[tuple[str, str], Callable[[Any], list[Any]]] = {
    # Names, not symbols: pymatgen's symbol of deuterium is H.
    ("pymatgen", "Element"): lambda element: [element.name],
    ("pymatgen", "Species"): lambda species: [species.element.name, species.oxi_state, species.spin],
    ("pymatgen", "Magmom"): lambda moment: [moment.moment, moment.saxis],
    ("ase", "Spacegroup"): lambda group: [int(group.no), int(group.setting)],
}
_READERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "float": lambda form: float(form["value"]),
    "complex": lambda form: complex(*decode(form["value"])),
    "bytes": lambda form: bytes.fromhex(form["value"]),
    "tuple": lambda form: tuple(decode(form["items"])),
    "set": lambda form: set(decode(form["items"])),
    "frozenset": lambda form: frozenset(decode(form["items"])),
    "dict": lambda form: {decode(key): decode(item) for key, item in form["items"]},
    "array": _decode_array,
    "scalar": _decode_scalar,
    **{name: _decode_object for _, name in _OBJECTS},
}
