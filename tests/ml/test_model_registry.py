"""Models are saved whole or not at all, found by name, and loaded as data that is checked."""

from __future__ import annotations

import json
import os
import pickle
import struct
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from training_lakes import rock_salt

from lake.errors import InputError, TableError
from lake.store.lake import Lake
from ml import registry
from ml.data import target_of
from ml.registry import files, rows
from ml.registry.document import Document
from ml.registry.model import Model, Predicted
from ml.registry.predictors import predictor_of
from ml.registry.weights import encoded
from ml.spec import ModelSpec

TARGET = target_of("formation_energy_ev_per_atom")
CURVE = [{"step": 10, "validation_mae": 0.5, "seconds": 1.0}, {"step": 20, "validation_mae": 0.4, "seconds": 2.0}]
CRYSTALS = pa.Table.from_pylist([rock_salt("left", "Na", "Cl"), rock_salt("left", "Na", "Cl", 5.0)])


def network(n_members: int = 2, **more: Any) -> Model:
    """A small network with fresh weights and a row that says what a row must."""
    import torch

    from ml.graphs.settings import GraphSettings
    from ml.models import ModelSettings, build

    torch.set_num_threads(1)
    settings = ModelSettings("schnet", (11, 17), channels=8, steps=1, n_rbf=10, n_members=n_members)
    graph = {name: getattr(GraphSettings(), name) for name in GraphSettings.__dataclass_fields__}
    document = Document(TARGET, ModelSpec("schnet", n_members=n_members), {"model": settings.plain(), "graph": graph},
                        (11, 17), None, -1.0, 0.5, {11: 0.25, 17: -0.75})
    arrays = {name: tensor.numpy() for name, tensor in build(settings, 3).state_dict().items()}
    row = {
        "kind": "schnet", "target": TARGET.column, "unit": TARGET.unit, "road": "own", "sources": ["left"],
        "table_versions": {"calculations": 1}, "split_key": "reduced_key", "split_seed": 0, "n_train": 8,
        "n_validation": 1, "n_test": 1, "data_sha256": "d", "n_members": n_members,
        "settings_json": '{"spec": {"kind": "schnet"}}',
        "n_parameters": 5, "seed": 0, "device": "cpu", "seconds": 1.0, "metrics_json": '{"test": {"mae": 0.5}}',
        "licenses": ["CC-BY-4.0"], "redistributable": True, "code_version": "0", "library_versions_json": "{}",
    }
    return Model(row | more, document, predictor_of(document, arrays, "cpu", "here"), arrays)


@pytest.fixture(scope="module")
def made() -> Model:
    return network()


def test_a_saved_model_says_what_it_said_before(any_lake: Lake, made: Model) -> None:
    before = made.predict(CRYSTALS, latents=True)
    saved = registry.save(any_lake, made, "salts", curve=CURVE)
    assert saved.model_id == "salts.1"
    loaded = registry.load(any_lake, "salts")
    after = loaded.predict(CRYSTALS, latents=True)
    np.testing.assert_array_equal(after.members, before.members)
    np.testing.assert_array_equal(after.latents, before.latents)
    assert after.members.shape == (2, 2)
    assert after.standard_deviation is not None
    assert loaded.row["table_versions"] == {"calculations": 1}
    assert loaded.target == TARGET
    assert any_lake.read("learning_curves")["step"].to_pylist() == [10, 20]


def test_the_same_weights_are_one_file_and_versions_count_up(lake: Lake, made: Model) -> None:
    ids = [registry.save(lake, made, name).model_id for name in ("a", "a", "b")]
    assert ids == ["a.1", "a.2", "b.1"]
    assert len({row["folder"] for row in registry.saved(lake)}) == 1
    assert registry.find(lake, "a")["version"] == 2
    assert registry.find(lake, "a.1")["version"] == 1


def test_a_full_disk_is_said_and_leaves_no_model(
    lake: Lake, made: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(type(lake.root), "write", full)
        with pytest.raises(TableError, match=r"No space left on device\. Make room"):
            registry.save(lake, made, "salts")
    assert registry.saved(lake) == []


def test_two_at_once_get_different_versions(lake: Lake, made: Model) -> None:
    registry.save(lake, made, "salts")
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(registry.save(lake, made, "salts").model_id))
               for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["salts.2", "salts.3", "salts.4", "salts.5"]
    assert [row["version"] for row in registry.saved(lake, "salts")] == [1, 2, 3, 4, 5]


def test_half_of_a_model_is_never_seen(lake: Lake, made: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(rows, "insert", killed)
        with pytest.raises(KeyboardInterrupt):
            registry.save(lake, made, "salts", curve=CURVE)
    assert registry.saved(lake) == []
    assert registry.save(lake, made, "salts", curve=CURVE).model_id == "salts.2"


def test_what_is_not_there_is_said_with_what_is(lake: Lake, made: Model) -> None:
    registry.save(lake, made, "salts")
    for wanted, message in (
        ("salt", "no model 'salt'. Is salts meant"), ("salts.7", "has no version 7. Versions: 1"),
        ("../x", "no model"), ("a'; drop", "no model"), ("", "no model"), ("x" * 200, "no model"),
    ):
        with pytest.raises(InputError, match=message):
            registry.find(lake, wanted)


def test_names_are_checked_before_anything_is_written(lake: Lake, made: Model) -> None:
    for name in ("Salts", "a/b", "", "a.b", "-a", "x" * 65):
        with pytest.raises(InputError, match="cannot be the name"):
            registry.save(lake, made, name)
    assert not Path(lake.root.uri).exists()


def test_columns_of_a_row_can_be_filled_in_later(lake: Lake, made: Model) -> None:
    registry.save(lake, made, "salts")
    registry.save(lake, made, "salts")
    registry.update(lake, "salts.1", calibration_json='{"scale": 2}', tracking_run_id="r")
    assert registry.find(lake, "salts.1")["calibration_json"] == '{"scale": 2}'
    assert registry.find(lake, "salts.2")["calibration_json"] is None
    for wrong in ({"version": 3}, {"nothing": 1}):
        with pytest.raises(TableError, match="cannot be changed"):
            registry.update(lake, "salts.1", **wrong)


def folder_of(lake: Lake) -> Path:
    return Path(lake.root.uri) / registry.find(lake, "salts")["folder"]


def test_a_changed_file_is_found(lake: Lake, made: Model) -> None:
    registry.save(lake, made, "salts")
    weights, description = folder_of(lake) / files.WEIGHTS, folder_of(lake) / files.DESCRIPTION
    content, described = weights.read_bytes(), description.read_bytes()
    changed = described.replace(b'"scale": 0.5', b'"scale": 5.0')
    assert changed != described
    for one, other, message in (
        (content[:-10], described, "are not those that were saved"),
        (content[:-3] + b"\x7f" + content[-2:], described, "are not those that were saved"),
        (encoded(made.weights, b"other"), described, "are not those that were saved"),
        (content, changed, "does not belong to the model.json beside it"),
    ):
        weights.write_bytes(one)
        description.write_bytes(other)
        with pytest.raises(InputError, match=message):
            registry.load(lake, "salts")
    weights.unlink()
    with pytest.raises(InputError, match="lacks its file"):
        registry.load(lake, "salts")


def test_a_model_goes_to_another_lake_by_a_folder(lake: Lake, made: Model, tmp_path: Path) -> None:
    saved = registry.save(lake, made, "salts", curve=CURVE)
    registry.export_model(lake, saved, tmp_path / "out")
    other = Lake.open(str(tmp_path / "other"), lake.settings)
    taken = registry.import_model(other, tmp_path / "out", "guest")
    assert taken.model_id == "guest.1"
    assert taken.row["weights_sha256"] == saved.row["weights_sha256"]
    assert taken.row["licenses"] == ["CC-BY-4.0"]
    assert other.read("learning_curves")["validation_mae"].to_pylist() == [0.5, 0.4]
    np.testing.assert_array_equal(registry.load(other, "guest").predict(CRYSTALS).mean, made.predict(CRYSTALS).mean)
    np.testing.assert_array_equal(
        registry.read_model(tmp_path / "out").predict(CRYSTALS).mean, made.predict(CRYSTALS).mean)


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def _header(header: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header


def test_weights_from_elsewhere_are_data_or_refused(tmp_path: Path, made: Model) -> None:
    files.write_folder(tmp_path, made.document, made.weights)
    for content in (
        pickle.dumps(Bomb(tmp_path / "ran")), b"", struct.pack("<Q", 2**62) + b"{}", _header(b"not json"),
        _header(b"[1]"), _header(b"[" * 100_000), _header(b"{}"),
    ):
        (tmp_path / files.WEIGHTS).write_bytes(content)
        with pytest.raises(InputError, match=r"no safetensors file|does not belong"):
            registry.read_model(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_descriptions_from_elsewhere_are_checked(tmp_path: Path, made: Model) -> None:
    plain = json.loads(made.document.content())

    def but(**more: Any) -> bytes:
        return json.dumps(plain | more).encode()

    huge = plain["settings"]["model"] | {"channels": 4096, "steps": 32, "n_members": 64}
    for description in (
        b"\x80\x04", b"[]", but(schema=99), but(schema=0), but(format="x"), but(mean=float("nan")),
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000, but(spec={"kind": "transformer"}),
        but(target={"column": 1, "unit": "eV", "label": "x", "reference": None}), but(elements=[17, 11]),
        but(elements=[11]), but(scale=0), but(baseline={"0": 1}), but(settings={}),
        but(settings=plain["settings"] | {"model": huge}),
        but(encoding={"categories": [{"column": "source", "values": ["a"]}], "numbers": []}),
    ):
        files.write_folder(tmp_path, made.document, made.weights)
        (tmp_path / files.DESCRIPTION).write_bytes(description)
        (tmp_path / files.WEIGHTS).write_bytes(encoded(made.weights, description))
        with pytest.raises(InputError, match=str(tmp_path)):
            registry.read_model(tmp_path)


def test_arrays_must_be_those_of_the_network(tmp_path: Path, made: Model) -> None:
    arrays = dict(made.weights)
    first = min(arrays)
    rest = {name: array for name, array in arrays.items() if name != first}
    for changed, message in (
        (rest, "are not those of the network"), (arrays | {"more": np.zeros(3, np.float32)}, "of the network"),
        (rest | {first: arrays[first][..., :1]}, "of the network"),
        (rest | {first: arrays[first].astype(np.float64)}, "of the network"),
        (rest | {first: np.full_like(arrays[first], np.nan)}, "no finite numbers"),
    ):
        files.write_folder(tmp_path, made.document, changed)
        with pytest.raises(InputError, match=message):
            registry.read_model(tmp_path)


def test_cards_from_elsewhere_are_checked(tmp_path: Path, lake: Lake, made: Model) -> None:
    registry.export_model(lake, registry.save(lake, made, "salts"), tmp_path)
    plain = json.loads((tmp_path / "card.json").read_bytes())
    for card in (
        b"", b"[]", b'{"row": 3}', b'{"row": {}, "curve": []}', b'{"row": {"kind": 4}, "curve": []}', b"{" * 9,
        json.dumps(plain | {"row": plain["row"] | {"kind": "mpeu"}}).encode(),
        json.dumps(plain | {"curve": [{"step": "x"}]}).encode(),
        json.dumps(plain | {"row": plain["row"] | {"metrics_json": "{"}}).encode(),
        json.dumps(plain | {"row": plain["row"] | {"settings_json": "{}"}}).encode(),
    ):
        (tmp_path / "card.json").write_bytes(card)
        with pytest.raises(InputError, match="card"):
            registry.import_model(lake, tmp_path, "guest")
    assert [row["name"] for row in registry.saved(lake)] == ["salts"]


def test_an_element_that_was_never_seen_is_named(made: Model) -> None:
    rows_ = pa.Table.from_pylist([rock_salt("left", "Na", "Cl"), rock_salt("left", "K", "Cl")])
    with pytest.raises(InputError, match=r"1 of 2 crystals hold K \(left/KCl-4.2-1 is the first\)"):
        made.predict(rows_)


def test_one_member_has_no_spread_and_nothing_is_nothing(made: Model) -> None:
    assert network(1).predict(CRYSTALS).standard_deviation is None
    empty = made.predict(CRYSTALS.slice(0, 0))
    assert empty.mean.shape == (0,)
    assert Predicted.of(np.array([[1.0, 2.0], [3.0, 2.0]])).standard_deviation == pytest.approx([2**0.5, 0])


def test_neither_finding_nor_describing_models_needs_heavy_libraries() -> None:
    code = ("import sys, flows.training, flows.model_tables; from ml import registry; "
            "print('torch' in sys.modules, 'sklearn' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_specs_read_and_write_json_and_refuse_nonsense() -> None:
    spec = ModelSpec("schnet", {"channels": 32}, {"steps": 10, "device": "cpu"}, inputs=("source",), n_members=2)
    assert ModelSpec.of(json.loads(spec.json())) == replace(spec)
    assert ModelSpec.of(json.loads(spec.recipe)).training == {"steps": 10}
    assert spec.setting("training.learning_rate", 1e-3).training["learning_rate"] == 1e-3
    for wrong in ({"kind": "x"}, {"n_members": 0}, {"seed": -1}, {"inputs": ["sorce"]}, {"inputs": "source"},
                  {"features": {"a": 1}}, {"model": [1]}, {"baseline": "x"}, {"what": 1}):
        with pytest.raises(InputError):
            ModelSpec.of(wrong)
    for path in ("training", "x.y", "training.a b", "kind"):
        with pytest.raises(InputError, match="There is no setting"):
            spec.setting(path, 1)
