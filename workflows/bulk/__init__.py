"""One action on many workflows: a set that is frozen first, then worked off in chunks.

`collecting` freezes the set, `jobs` is what people do to a job, `chunks` does a chunk of it, and
`rounds` lets one process at a time work, under a lease.
"""
