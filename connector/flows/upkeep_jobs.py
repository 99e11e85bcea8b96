"""The periodic jobs of a connection: keys of its upkeep context."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from connector.sdk import Capability


class Job(StrEnum):
    """Key of a job in the pending set."""

    CHANNEL = "channel"  # read the sales channel: currency, active
    POLL_ORDERS = "poll-orders"  # ask the marketplace for changed orders
    RELIST = "relist"  # list the sales channel again, find what no notification told
    BACKFILL = "backfill"  # load the whole sales channel, page by page
    RECHECK_ALL = "recheck-all"  # look at every known listing
    CONFIRM_INSTALL = "confirm-install"  # the store's app says it was switched off: is it?
    CATEGORIES = "categories"  # read the marketplace's category tree, see what became of mappings
    REMAP = "remap"  # look again at the SKUs that a changed mapping concerns
    HOUSEKEEPING = "housekeeping"  # retire secrets, erase personal data


def periodic_jobs(can: Collection[Capability]) -> list[Job]:
    """The jobs that run again and again for a connection to such a marketplace."""
    jobs = [Job.CHANNEL, Job.RELIST, Job.HOUSEKEEPING]
    if Capability.POLLING in can:
        jobs.append(Job.POLL_ORDERS)
    if Capability.CATEGORIES in can:
        jobs.append(Job.CATEGORIES)
    return jobs
