"""Linux only, knows no Lambda: boxes (namespaces, mounts, users), cgroups, and what the host can do.

Rule: nothing is imported here. The spawner loads single modules of this package into a bare interpreter, and
every module more is memory that each box's fork has to map.
"""
