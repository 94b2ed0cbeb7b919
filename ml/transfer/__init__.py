"""How far models carry from one database to another: the same recipe on each, on all, and on every road between."""

from ml.transfer.corrections import Corrections
from ml.transfer.plan import Job, Plan, plan
from ml.transfer.request import ROADS, TransferRequest
from ml.transfer.run import TransferResult, transfer

__all__ = ["ROADS", "Corrections", "Job", "Plan", "TransferRequest", "TransferResult", "plan", "transfer"]
