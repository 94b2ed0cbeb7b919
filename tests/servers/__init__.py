"""The four APIs, played on this machine with faults. By hand: ``python -m tests.servers --help``."""

from tests.servers.aflow import Aflow
from tests.servers.faults import FAULTS, Fault
from tests.servers.materials_project import MaterialsProject
from tests.servers.nomad import Nomad
from tests.servers.optimade import Optimade
from tests.servers.records import load, optimade_entries, read
from tests.servers.server import Asked, Server

PATHS = {"aflow": "/API/aflux/", "mp": "", "nomad": "/prod/v1/api/v1", "optimade": ""}
"""Where each database lies below the server's root: what a source is given as its base URL."""

__all__ = [
    "FAULTS", "PATHS", "Aflow", "Asked", "Fault", "MaterialsProject", "Nomad", "Optimade", "Server",
    "load", "optimade_entries", "read",
]
