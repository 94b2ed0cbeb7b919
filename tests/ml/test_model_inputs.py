"""Settings of calculations as inputs: encoding them, and what they do to a network."""

import json
import math
import warnings

import numpy as np
import pyarrow as pa
import pytest
import torch
from model_crystals import batch_of, crystals, network

from lake.crystal.formula import ATOMIC_NUMBER
from lake.errors import InputError
from ml.models import InputSizes, ModelSettings
from ml.models.inputs import InputEncoding

ROWS = pa.table({
    "source": ["mp", "aflow", "mp", "aflow"], "spin_polarized": pa.array([True, None, False, True]),
    "cutoff_ev": pa.array([520.0, None, 500.0, 540.0]),
    "k_point_density_angstrom": pa.array([math.nan, None, None, 30]),
    "xc_functional": pa.array([None, None, None, None], pa.string()), "n_sites": pa.array([2, 2, 2, 2], pa.int32()),
})
COLUMNS = ("source", "cutoff_ev", "spin_polarized", "xc_functional", "k_point_density_angstrom", "n_sites")


def test_rows_become_codes_numbers_and_flags() -> None:
    encoding = InputEncoding.of(ROWS, COLUMNS)
    assert encoding.sizes == InputSizes((3, 3, 1), 3)
    assert encoding.columns == ("source", "spin_polarized", "xc_functional", "cutoff_ev", "k_point_density_angstrom",
                                "n_sites")
    root = math.sqrt(1.5)
    expected = [
        [2, 2, 0, 0, 0, 0, 1, 0, 0], [1, 0, 0, 0, 1, 0, 1, 0, 0], [2, 1, 0, -root, 0, 0, 1, 0, 0],
        [1, 2, 0, root, 0, 0, 0, 0, 0],
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = encoding.encode(ROWS)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.shape[1] == encoding.sizes.width


def test_an_encoding_survives_json_and_says_what_is_wrong_with_another() -> None:
    encoding = InputEncoding.of(ROWS, COLUMNS)
    plain = json.loads(json.dumps(encoding.plain(), allow_nan=False))
    assert InputEncoding.from_plain(plain) == encoding
    for spoilt in ({}, {"categories": [{"column": 1, "values": []}], "numbers": []}, {"categories": 3, "numbers": []},
                   plain | {"numbers": [{"column": "cutoff_ev", "mean": 0.0, "scale": 0.0}]},
                   plain | {"numbers": [{"column": "cutoff_ev", "mean": "x", "scale": 1.0}]}):
        with pytest.raises(InputError, match="not described as they should be"):
            InputEncoding.from_plain(spoilt)


def test_a_value_that_was_not_learned_is_unknown_and_said() -> None:
    encoding = InputEncoding.of(ROWS, ("source", "cutoff_ev"))
    rows = pa.table({"source": ["oqmd", None, "mp"], "cutoff_ev": [1e5, -1e5, math.inf]})
    with pytest.warns(UserWarning, match=r"source: oqmd was not among .*\(aflow, mp\).* unknown"):
        found = encoding.encode(rows)
    np.testing.assert_allclose(found, [[0, 5, 0], [0, -5, 0], [2, 0, 1]])
    nothing = pa.table({"source": pa.nulls(2), "cutoff_ev": pa.nulls(2)})
    np.testing.assert_array_equal(encoding.encode(nothing), [[0, 0, 1], [0, 0, 1]])
    assert encoding.encode(ROWS.slice(0, 0)).shape == (0, 3)
    assert InputEncoding.of(ROWS, ()).encode(ROWS).shape == (4, 0)


def test_columns_that_cannot_be_inputs_are_refused() -> None:
    with pytest.raises(InputError, match="no column code"):
        InputEncoding.of(ROWS, ("source", "code"))
    with pytest.raises(InputError, match="named twice"):
        InputEncoding.of(ROWS, ("source", "source"))
    with pytest.raises(InputError, match=r"of type list"):
        InputEncoding.of(pa.table({"elements": [["H"]]}), ("elements",))
    numbers = InputEncoding.of(ROWS, ("cutoff_ev",))
    with pytest.raises(InputError, match="trained with numbers"):
        numbers.encode(pa.table({"cutoff_ev": ["high"]}))


def test_text_columns_of_every_kind_count() -> None:
    encoding = InputEncoding.of(ROWS, ("source",))
    for column in (ROWS["source"].dictionary_encode(), ROWS["source"].cast(pa.large_string()),
                   pa.chunked_array([["mp"], ["aflow", "mp"], [], ["aflow"]])):
        assert encoding.encode(pa.table({"source": column}))[:, 0].tolist() == [2, 1, 2, 1]


SIZES = InputSizes((3, 2), 1)


@pytest.mark.parametrize("kind", ["schnet", "mpeu", "painn"])
@pytest.mark.parametrize("n_members", [1, 2])
def test_inputs_change_the_answer_and_are_learned(kind: str, n_members: int) -> None:
    crystal = crystals()[0]
    one = network(kind, inputs=SIZES, n_members=n_members)
    rows = np.array([[1, 1, 0.5, 0], [2, 1, 0.5, 0], [1, 0, 0.5, 0], [1, 1, 0.0, 1], [1, 1, 0.5, 0], [0, 0, 0, 0]])
    batch = batch_of([crystal] * 6, "full", inputs=torch.from_numpy(rows))
    value = one(batch)
    assert value.shape == (n_members, 6)
    assert torch.equal(value[:, 0], value[:, 4])
    for other in (1, 2, 3):
        assert float((value[:, 0] - value[:, other]).detach().abs().min()) > 1e-7
    bare = network(kind, inputs=SIZES, n_members=n_members)
    bare.conditions = None
    torch.testing.assert_close(bare(batch)[:, 5], value[:, 5], atol=1e-12, rtol=0)  # the unknown says nothing
    value.square().sum().backward()
    conditions = one.conditions
    assert conditions is not None
    assert all(float(p.grad.abs().max()) > 0 for p in conditions.parameters())


def test_an_offset_is_one_number_per_element_and_value() -> None:
    some = crystals()[:4]
    one = network("schnet", inputs=InputSizes((2,), 0))
    batch = batch_of(some, inputs=torch.ones(4, 1, dtype=torch.float64))
    before = one(batch).detach()
    conditions = one.conditions
    assert conditions is not None
    offsets = torch.arange(conditions.n_elements, dtype=torch.float64) * 0.01
    conditions.offsets[0].data[0, conditions.n_elements:, 0] = offsets
    numbers = [np.mean([one.element_place[ATOMIC_NUMBER[s]].item() * 0.01 for s in crystal["species_at_sites"]])
               for crystal in some]
    np.testing.assert_allclose((one(batch).detach() - before)[0].numpy(), numbers, atol=1e-6)


def test_a_batch_without_inputs_is_refused() -> None:
    with pytest.raises(ValueError, match="inputs, and the batch has none"):
        network("schnet", inputs=SIZES)(batch_of(crystals()[:1]))


@pytest.mark.parametrize(("given", "message"), [
    ({"kind": "transformer"}, "no kind of network"), ({"channels": 0}, "channels .* 2 to 4096"),
    ({"channels": True}, "channels"), ({"steps": 2.0}, "steps"), ({"elements": ()}, "atomic numbers"),
    ({"elements": (8, 1)}, "ascending"), ({"elements": (1, 1)}, "ascending"), ({"elements": (0, 1)}, "atomic numbers"),
    ({"dropout": 1.0}, "dropout"), ({"dropout": math.nan}, "dropout"), ({"activation": "gelu"}, "activation"),
    ({"norm": 1}, "norm"), ({"aggregation": "max"}, "aggregation"), ({"cutoff_angstrom": 0}, "cutoff_angstrom"),
    ({"widths": 3}, "no setting 'widths'"), ({"inputs": {"categories": [0]}}, "Inputs of a network"),
    ({"inputs": {"words": 1}}, "wrong form"), ({"inputs": 5}, "inputs"), ({"n_members": 65}, "n_members"),
    ({"elements": 5}, "wrong form"),
])
def test_settings_that_make_no_network_are_refused(given: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ModelSettings.of({"kind": "schnet", "elements": (1, 8)} | given)


def test_settings_survive_json() -> None:
    settings = ModelSettings("painn", (1, 8), n_members=3, dropout=0.05, inputs=SIZES)
    assert (settings.n_rbf, settings.activation) == (20, "swish")
    assert ModelSettings.of(json.loads(json.dumps(settings.plain()))) == settings
    with pytest.raises(InputError, match="incomplete"):
        ModelSettings.of({"kind": "schnet"})
