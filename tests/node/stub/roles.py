"""Clustered roles: drain, failover, failback. Microsoft: Suspend-ClusterNode, Resume-ClusterNode, PauseClusterNode function."""

OLD, NEW = 20349, 25398


class Roles:
    def groups(self):
        shown = []
        for role in self.state["roles"]:
            state = role.get("state") or ("Online" if role["on"] else "Pending")
            shown.append({**role, "state": state, "owner": role["on"] or role["home"]})
        return shown

    def roles_on(self, name):
        return [r for r in self.state["roles"] if r["on"] == name and r.get("state") != "Offline"]

    def free_mib(self, name):
        return self.state["node_mib"] - sum(r["mib"] for r in self.roles_on(name))

    def place_for(self, mib, but):
        """The serving node with the most room, if a role fits there."""
        there = [(self.free_mib(n), n) for n in self.nodes if n != but and self.serves(n)]
        there = [(free, n) for free, n in there if free >= mib]
        return max(there)[1] if there else None

    def begin_pause(self, name, drain):
        """The state is Paused at once, the drain goes on."""
        node = self.nodes[name]
        node["paused"] = True
        node["pause"] += 1
        node["drain_error"] = 0
        node["drain"] = "InProgress" if drain else "NotInitiated"
        if drain:
            self.after(self.dice.about("drain", self.pace("drain")), "drain", node=name, pause=node["pause"])
        self.changed()

    def on_drain(self, event):
        """One role after the other moves away."""
        name = event["node"]
        node = self.nodes[name]
        if not node["joined"] or node["drain"] != "InProgress":
            return
        if self.switches.strikes(name, "drain-fails"):
            return self.drain_ends(name, "Failed")
        if self.switches.value(name, "drain-hangs") or self.migrations_hang(name):
            # Azure Local Supportability: Known issue, live migrations may fail: neither completes nor fails.
            return
        role = next(iter(self.roles_on(name)), None)
        if role is None:
            return self.drain_ends(name, "Completed")
        to = self.place_for(role["mib"], name)
        if to is None:
            # Microsoft: failover clustering system events, 1677.
            return self.drain_ends(name, "Failed")
        role["on"] = to
        self.after(self.dice.about("migrate", self.pace("migrate")), "drain", node=name, pause=node["pause"])

    def drain_ends(self, name, how):
        node = self.nodes[name]
        node["drain"] = how
        node["drain_error"] = 0 if how == "Completed" else 5016
        if how == "Failed":
            self.log(name, "System", "Microsoft-Windows-FailoverClustering", 1677, "Cluster node drain failed.")
        # Pause and drain put the node's disks in maintenance mode on 21H2 and later; whether a failed drain does is not documented.
        if how == "Completed" or self.dice.one_in("failed-drain-maintains", 2):
            node["drives"] = "in"
        self.changed()

    def migrations_hang(self, name):
        node = self.nodes[name]
        mixed = any(n["build"] >= NEW for n in self.nodes.values())
        return node["build"] == OLD and mixed and node["effective"]["small"] != 0 and self.dice.one_in("migrations-hang", 2)

    def resume(self, name, failback):
        """Ends maintenance mode and brings roles back as asked."""
        node = self.nodes[name]
        node["paused"] = False
        node["pause"] += 1
        # Whether DrainStatus returns to NotInitiated is not documented.
        node["drain"] = "NotInitiated" if self.dice.one_in("resume-resets-drain", 2) else node["drain"]
        if node["drain"] == "InProgress":
            node["drain"] = "NotInitiated"
        if node["drives"] == "in":
            node["drives"] = "leaving"
        if node["drives"] == "leaving":
            wait = self.dice.about("leave", self.pace("leave_maintenance"))
            self.after(wait, "maintenance_ends", node=name, pause=node["pause"])
        if failback != "NoFailback":
            self.after(self.dice.about("migrate", self.pace("migrate")), "failback", node=name, pause=node["pause"])
        self.changed()

    def on_maintenance_ends(self, event):
        node = self.nodes[event["node"]]
        if node["drives"] == "leaving":
            node["drives"] = "out"
            self.changed()

    def on_failback(self, event):
        name = event["node"]
        if not self.serves(name):
            return
        for role in self.state["roles"]:
            if role["home"] == name and role["on"] != name and role["kind"] == "VirtualMachine" and self.free_mib(name) >= role["mib"]:
                role["on"] = name
                self.after(self.dice.about("migrate", self.pace("migrate")), "failback", node=name, pause=self.nodes[name]["pause"])
                return

    def place_roles(self):
        """Roles of a member that is gone start elsewhere, where there is room; roles that have no place wait for one."""
        for role in self.state["roles"]:
            lost = role["on"] is None or not self.nodes[role["on"]]["joined"] or not self.state["formed"]
            if lost:
                before = role["on"] or role["home"]
                role["on"] = None
                if self.state["formed"]:
                    home = self.serves(before) and self.free_mib(before) >= role["mib"]
                    role["on"] = before if home else self.place_for(role["mib"], before)
