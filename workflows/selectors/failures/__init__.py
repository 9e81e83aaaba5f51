"""Failed work: which runs failed, and whether a later run of the same work made it good."""
