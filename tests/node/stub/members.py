"""Members, votes and quorum, with dynamic quorum and a dynamic witness.

Microsoft: Understanding cluster and pool quorum; Configure and manage quorum; MSCluster_Node class.
"""


class Members:
    def votes(self):
        witness = self.state["witness"]
        counted = int(witness["vote"])
        everyone = sum(n["vote"] for n in self.nodes.values()) + counted
        here = sum(n["vote"] and n["joined"] for n in self.nodes.values()) + int(witness["vote"] and witness["online"])
        return here, everyone

    def count_votes(self):
        """Every member that is there has a vote, and the total is kept odd: by the witness where there is one, else by one member's vote."""
        for node in self.nodes.values():
            node["vote"] = int(node["joined"])
        even = sum(n["vote"] for n in self.nodes.values()) % 2 == 0
        witness = self.state["witness"]
        there = bool(witness["kind"]) and witness["online"]
        witness["vote"] = int(there and even)
        if even and not there:
            # Which one loses its vote is up to the cluster (LowerQuorumPriorityNodeID); here the last by name.
            for name in sorted(self.nodes, reverse=True):
                if self.nodes[name]["vote"]:
                    self.nodes[name]["vote"] = 0
                    break

    def leaves_in_order(self, name):
        """A member that leaves in good order takes its vote along first."""
        self.nodes[name]["joined"] = False
        if self.state["formed"] and any(n["joined"] for n in self.nodes.values()):
            self.count_votes()

    def count_quorum(self):
        witness = self.state["witness"]
        witness["online"] = bool(witness["kind"]) and not self.switches.value("cluster", "witness-offline")
        here, everyone = self.votes()
        quorate = here * 2 > everyone and any(n["joined"] for n in self.nodes.values())
        if quorate:
            self.state["formed"] = True
            self.count_votes()
        elif self.state["formed"]:
            self.state["formed"] = False
            self.did("cluster", "QuorumLost")

    def would_lose_quorum(self, name):
        """How `WillOfflineLoseQuorum` counts is not documented; this is the careful reading: the votes as they are, the node's own counted as lost."""
        here, everyone = self.votes()
        node = self.nodes[name]
        mine = int(node["vote"] and node["joined"])
        return (here - mine) * 2 <= everyone

    def serves(self, name):
        return self.nodes[name]["joined"] and not self.nodes[name]["paused"]

    def cluster_runs(self, name):
        """Whether the node's own cluster service answers. Without quorum it does not stay up."""
        node = self.nodes[name]
        return node["on"] and node["joined"] and self.state["formed"] and node["services"]["clussvc"]["status"] == "Running"

    def need_cluster(self, name):
        if not self.cluster_runs(name):
            self.refuse("ClusterEndpointNotRegistered", "ConnectionError",
                        "The cluster service is not running. Make sure that the service is running on all nodes in the cluster. "
                        "There are no more endpoints available from the endpoint mapper", 0x800706D9)

    def member_state(self, name):
        node = self.nodes[name]
        if self.switches.value(name, "joining"):
            # A member that is not yet back, as a cluster service that already answers shows it.
            return "Joining"
        if not node["joined"]:
            return "Joining" if node["on"] and node["services"]["clussvc"]["status"] == "Running" else "Down"
        return "Paused" if node["paused"] else "Up"

    def member(self, name):
        node = self.nodes[name]
        information = {"NotInitiated": 0, "InProgress": 4, "Completed": 8, "Failed": 16}[node["drain"]]
        if self.switches.value(name, "isolated"):
            information |= 1
        if self.switches.value(name, "quarantined"):
            information |= 2
        return {
            "name": name, "id": node["member"], "instance": node["instance"], "state": self.member_state(name), "drain": node["drain"],
            "drain_error": node["drain_error"], "information": information, "vote": node["vote"], "build": node["cluster_build"],
        }

    # What cmdlets ask

    def do_cluster(self, node, args, local):
        """Everything that the FailoverClusters module reads: one picture of one moment."""
        self.need_cluster(node)
        witness = self.state["witness"]
        return {
            "name": self.state["name"], "id": self.state["id"], "level": self.state["level"], "s2d": True,
            "witness": {"kind": witness["kind"], "online": witness["online"], "vote": witness["vote"]},
            "members": [self.member(name) for name in sorted(self.nodes)],
            "groups": self.groups(), "volumes": self.volumes(), "sites": self.switches.value("cluster", "sites") or [], "me": node,
        }

    def do_would_lose_quorum(self, node, args, local):
        self.need_cluster(node)
        name = self.known_member(args["name"])
        return self.would_lose_quorum(name)

    def known_member(self, name):
        for known in self.nodes:
            if known.lower() == str(name).lower():
                return known
        self.refuse("ClusterObjectNotFound", "ObjectNotFound", f"The cluster node '{name}' was not found", 0x800713AD)

    def do_suspend(self, node, args, local):
        """Microsoft: Suspend-ClusterNode; Failover cluster maintenance procedures (the safety check, maintenance mode)."""
        self.need_cluster(node)
        name = self.known_member(args["name"])
        it = self.nodes[name]
        if self.switches.strikes(name, "suspend-refused"):
            # Azure Local Supportability: a previous Cluster-Aware Updating run failed.
            self.refuse("Suspend-ClusterNode", "NotSpecified",
                        "The requested operation cannot be completed because a resource has locked status", 0x800713D0)
        if not it["joined"]:
            self.refuse("Suspend-ClusterNode", "NotSpecified", "The cluster node is not up", 0x800713BA)
        if not it["paused"]:
            if args.get("drain") and self.degraded():
                self.refuse("Suspend-ClusterNode", "NotSpecified", "A clustered space is in a degraded condition and the requested action cannot be "
                            "completed at this time", 0x80071763)
            # Whether a pause asks about quorum is not documented.
            if self.would_lose_quorum(name) and self.dice.one_in("suspend-asks-quorum", 2):
                self.refuse("Suspend-ClusterNode", "NotSpecified", "The operation would cause the cluster to lose quorum", 0x80071736)
        self.begin_pause(name, bool(args.get("drain")))
        self.did(name, "Suspended", by=node, drain=bool(args.get("drain")), force=bool(args.get("force")))
        return True

    def do_resume(self, node, args, local):
        self.need_cluster(node)
        name = self.known_member(args["name"])
        if self.switches.strikes(name, "resume-refused"):
            self.refuse("Resume-ClusterNode", "NotSpecified", "The cluster node is not paused", 0x80071391)
        if not self.nodes[name]["joined"] or self.switches.value(name, "joining"):
            self.refuse("Resume-ClusterNode", "NotSpecified", "The cluster node is not up", 0x800713BA)
        self.resume(name, args.get("failback") or "NoFailback")
        self.did(name, "Resumed", by=node, failback=args.get("failback"))
        return True
