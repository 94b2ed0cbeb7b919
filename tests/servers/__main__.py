"""Plays the four APIs by hand: python -m tests.servers --records tests/data/servers --port 8700."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.servers import FAULTS, PATHS, Server, load


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description=__doc__)
    parser.add_argument("--records", type=Path, required=True,
                        help="folder with aflow/, mp/<route>/, nomad/entries/, nomad/archive…/, optimade/")
    parser.add_argument("--port", type=int, default=0, help="0 = any free one")
    parser.add_argument("--fault", action="append", default=[], metavar="NAME[:TIMES[:RATE]]",
                        help=f"TIMES per request, or 'forever'; NAME is one of {', '.join(FAULTS)}")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that every answer takes")
    parser.add_argument("--api-key", default=None, help="the only X-API-KEY that the MP API lets in")
    given = parser.parse_args()
    faults = []
    for text in given.fault:
        name, *rest = text.split(":")
        if name not in FAULTS:
            parser.error(f"--fault {name}: there is no such fault; use one of {', '.join(FAULTS)}")
        fault = FAULTS[name]()
        if rest:
            fault.times = None if rest[0] == "forever" else int(rest[0])
        if len(rest) > 1:
            fault.rate = float(rest[1])
        faults.append(fault)
    server = Server(load(given.records, given.api_key), faults, seed=given.seed, delay_seconds=given.delay,
                    port=given.port, tell=lambda line: print(line, file=sys.stderr))
    for name, path in PATHS.items():
        print(f"{name:9} {server.url}{path}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
