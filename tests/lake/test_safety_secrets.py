"""Keys never appear: not in tables, raw replies, the catalogue, logs, reports or error messages."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import zstandard

from lake.errors import IncompleteError, MatlakeError
from lake.ingest.run import ingest
from lake.settings import load_settings
from tests.servers import FAULTS, MaterialsProject, Server
from tests.servers.exchange import Answer
from tests.servers.faults import Fault
from tests.servers.trial import API_KEY, CASES, databases, open_lake

TOKEN = "n0m4d-T0K3N-that-must-never-be-seen"


class Echo(Fault):
    """An error that repeats the request's headers, as careless proxies do."""

    def instead(self, question):
        return Answer(500, str(dict(question.headers)).encode())


class Refusal(Echo):
    """The same, refusing for good."""

    def instead(self, question):
        return Answer(403, str(dict(question.headers)).encode())


def everything_in(folder: Path) -> str:
    """All that lies in a folder, decompressed, as one text."""
    texts = []
    for path in folder.rglob("*"):
        texts.append(str(path))
        if not path.is_file():
            continue
        body = path.read_bytes()
        if path.suffix == ".zst":
            body = zstandard.ZstdDecompressor().decompressobj().decompress(body)
        elif path.suffix == ".parquet":
            body = str(pq.read_table(path).to_pylist()).encode()
        texts.append(body.decode("latin-1"))
    return "\n".join(texts)


@pytest.mark.parametrize("faults", [[], ["500"], ["429_seconds"], ["html"], ["cut_json"], ["timeout"], ["reset"],
                                    [Echo()], [Echo(times=None)], [Refusal()]], ids=str)
@pytest.mark.parametrize("name", ["mp", "nomad"])
def test_keys_are_nowhere(name, faults, tmp_path, caplog, capfd):
    case = CASES[name]
    caplog.set_level(logging.DEBUG)
    made = [fault if isinstance(fault, Fault) else FAULTS[fault]() for fault in faults]
    timeout = 0.4 if faults == ["timeout"] else 5.0
    lake = open_lake(tmp_path / "lake", nomad_token=TOKEN, timeout_seconds=timeout)
    said = []
    with Server(databases(), made) as server:
        with contextlib.suppress(MatlakeError):
            try:
                result = ingest(lake, case.source, options=case.options, base_url=server.url + case.path)
                said.append(repr(result))
            except MatlakeError as error:
                said += [str(error), repr(error), repr(error.__cause__), repr(error.__context__)]
                raise
        sent = [asked.question.headers for asked in server.log]
    assert any(API_KEY in h.values() for h in sent) or name != "mp"
    assert any(TOKEN in str(h) for h in sent) or name != "nomad"
    printed = "".join(capfd.readouterr())
    for where in (everything_in(tmp_path), caplog.text, printed, *said, repr(lake), str(lake.settings)):
        assert API_KEY not in where
        assert TOKEN not in where


def test_a_wrong_key_is_refused_without_being_shown(tmp_path):
    with Server([MaterialsProject({"summary": []}, api_key="another")]) as server:
        with pytest.raises(IncompleteError) as caught:
            ingest(open_lake(tmp_path), "mp", options=CASES["mp"].options, base_url=server.url)
        assert len(server.log) <= 4, "another try cannot help"
    assert "403" in str(caught.value)
    assert API_KEY not in str(caught.value)


def test_without_a_key_the_message_says_what_to_set(tmp_path, monkeypatch):
    from lake.store.lake import Lake

    monkeypatch.delenv("MATLAKE_MP_API_KEY", raising=False)
    with pytest.raises(MatlakeError, match="MATLAKE_MP_API_KEY"):
        ingest(Lake.open(str(tmp_path), load_settings(attempts=1)), "mp")


def test_a_key_does_not_travel_to_another_host(tmp_path):
    """A next link that leads elsewhere must not carry our token along."""
    case = CASES["mp"]

    with Server(databases()) as thief:
        away = f"http://localhost:{thief.url.rpartition(':')[2]}/materials/summary/"

        class Redirect(Fault):
            def instead(self, question):
                return Answer(307, b"", {"Location": away})

        with Server(databases(), [Redirect(times=None)]) as server, contextlib.suppress(MatlakeError):
            ingest(open_lake(tmp_path), case.source, options=case.options, base_url=server.url)
        assert all(API_KEY not in str(asked.question.headers) for asked in thief.log)


@pytest.mark.slow
def test_keys_are_not_in_what_a_process_writes(tmp_path):
    """At debug level, in a process of its own, with requests that fail for good."""
    case = CASES["mp"]
    code = (
        "import logging; logging.basicConfig(level=logging.DEBUG)\n"
        "from lake.ingest.run import ingest\nfrom lake.store.lake import Lake\nimport sys\n"
        f"lake = Lake.open({str(tmp_path / 'lake')!r})\n"
        f"ingest(lake, 'mp', options={dict(case.options)!r}, base_url=sys.argv[1])\n"
    )
    environment = {**os.environ, "MATLAKE_MP_API_KEY": API_KEY, "MATLAKE_ATTEMPTS": "2",
                   "MATLAKE_BACKOFF_SECONDS": "0", "MATLAKE_WORKERS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    with Server(databases(), [Echo(times=None, rate=0.5)], seed=2) as server:
        done = subprocess.run([sys.executable, "-c", code, server.url], env=environment, cwd=tmp_path,
                              capture_output=True, text=True, timeout=60)
    assert "DEBUG" in done.stderr, done.stderr
    assert done.returncode == 1
    assert "incomplete" in done.stderr
    assert API_KEY not in done.stdout + done.stderr + everything_in(tmp_path)
