"""Many files, one after the other or spread over workers, through crashes: resumed, verified, one folder an item."""

from .recipe import Recipe
from .run import Policy, plan_batch, run_batch
from .sources import list_items, read_list
from .summary import Event, Failure, Interrupted, Summary

__all__ = [
    "Event",
    "Failure",
    "Interrupted",
    "Policy",
    "Recipe",
    "Summary",
    "list_items",
    "plan_batch",
    "read_list",
    "run_batch",
]
