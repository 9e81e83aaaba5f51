"""Bulk jobs: one action on a set of workflows that is fixed before it is confirmed.

`target_set` collects the set, `job_actions` are the actions of people on a job, `chunks` processes
a chunk of it, and `worker` lets one process at a time do so under a lease.
"""
