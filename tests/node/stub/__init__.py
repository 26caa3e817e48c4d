"""The platform behind stub nodes: one cluster's members, roles, storage, tasks and update agents, on one shared state.

Every behaviour is that of the public documentation (README.md names the pages); what it leaves open is drawn by the cluster's seed.
"""
