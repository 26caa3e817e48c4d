"""Mirrored storage over the nodes' drives.

Microsoft: Failover cluster maintenance procedures; Storage Spaces health and operational states; Understanding cluster and pool quorum.
"""


class Storage:
    def failed_drives(self, name):
        return int(self.switches.value(name, "failed-drives") or 0)

    def drives_serve(self, name):
        node = self.nodes[name]
        return node["joined"] and node["drives"] == "out"

    def lacking(self):
        stale = self.state["storage"]["stale"]
        return {n for n in self.nodes if not self.drives_serve(n) or self.failed_drives(n) or n in stale}

    def pool_quorum(self):
        """Half of the drives and one more; the witness' side counts as the one more."""
        each = self.state["storage"]["drives"]
        everything = each * len(self.nodes)
        here = sum(each - self.failed_drives(n) for n in self.nodes if self.nodes[n]["joined"])
        witness = self.state["witness"]
        return here * 2 > everything or (here * 2 == everything and bool(witness["kind"]) and witness["online"])

    def look_at_storage(self):
        s = self.state["storage"]
        tolerates = 2 if len(self.nodes) > 2 else 1
        writes = self.state["formed"] and self.pool_quorum() and len(self.lacking()) <= tolerates
        if writes:
            for name in sorted(self.lacking()):
                if name not in s["stale"]:
                    s["stale"][name] = self.now
                    s["lists_suspended"] = self.dice.one_in("lists-suspended-jobs", 2)
                    s["reads_degraded"] = self.dice.one_in("reads-degraded", 2)
        unavailable = not writes or s["refs_offline"]
        if unavailable and not s["unavailable"]:
            self.did("cluster", "DataUnavailable", lacking=sorted(self.lacking()))
        s["unavailable"] = unavailable
        self.look_at_repair()

    def look_at_repair(self):
        """Repair begins after the node was resumed, over copies that are out of date, while no drives are away."""
        s = self.state["storage"]
        away = any(not self.drives_serve(n) for n in self.nodes)
        wanted = bool(s["stale"]) and not away and not s["unavailable"]
        if wanted and s["repair"] is None:
            s["number"] += 1
            s["repair"] = {"lull": True}
            # Whether anything shows between the end of maintenance mode and the first job is not documented.
            wait = self.dice.below("lull", self.pace("lull") + 1) if self.dice.one_in("repair-shows-late", 4) else 0
            if wait:
                self.after(wait, "lull_ends", number=s["number"])
            else:
                self.on_lull_ends({"number": s["number"]})
        elif not wanted and s["repair"] is not None:
            s["number"] += 1
            s["repair"] = None

    def on_lull_ends(self, event):
        s = self.state["storage"]
        if s["number"] != event["number"]:
            return
        away = max((self.now - since for since in s["stale"].values()), default=0)
        lasts = self.dice.about("repair", min(self.pace("repair") + away // 4, self.pace("repair_most")))
        s["repair"] = {"lull": False, "began": self.now, "lasts": lasts}
        self.after(lasts, "repaired", number=s["number"])

    def on_repaired(self, event):
        s = self.state["storage"]
        if s["number"] != event["number"]:
            return
        if self.switches.value("cluster", "repair-stalls"):
            self.after(self.pace("repair"), "repaired", number=s["number"])
            return
        s["number"] += 1
        s["repair"] = None
        s["stale"] = {n: since for n, since in s["stale"].items() if self.failed_drives(n)}
        self.changed()

    def disk_state(self):
        """The words of OperationalStatus and HealthStatus of every virtual disk."""
        s = self.state["storage"]
        forced = self.switches.value("cluster", "disk-state")
        if forced:
            return forced
        if s["unavailable"]:
            return ["Detached"], "Unknown"
        if s["repair"] and not s["repair"]["lull"]:
            return ["InService"], "Warning"
        if not s["stale"] or (s["repair"] and s["repair"]["lull"] and not any(self.failed_drives(n) for n in self.nodes)):
            return ["OK"], "Healthy"
        # Incomplete: missing drives hold current data; Degraded: outdated copies. Both are normal while a node is away.
        return (["Degraded"], "Warning") if s["reads_degraded"] or s["repair"] else (["Incomplete"], "Warning")

    def degraded(self):
        """Unhealthy volumes forbid a pause, with error 5987."""
        return self.disk_state()[1] != "Healthy"

    def jobs(self):
        s = self.state["storage"]
        forced = self.switches.value("cluster", "jobs")
        if forced is not None:
            return forced
        repair = s["repair"]
        if repair and not repair["lull"]:
            percent = min(99, (self.now - repair["began"]) * 100 // max(1, repair["lasts"]))
            return [{"name": f"{d}-Repair", "state": "Running", "percent": percent, "elapsed": self.now - repair["began"]} for d in s["disks"]]
        away = any(not self.drives_serve(n) for n in self.nodes)
        if away and s["stale"] and s["lists_suspended"]:
            return [{"name": f"{d}-Repair", "state": "Suspended", "percent": 0, "elapsed": 0} for d in s["disks"]]
        return []

    def drives(self, name):
        """One row per drive of a node, with the words of the Storage module."""
        node = self.nodes[name]
        rows = []
        for i in range(self.state["storage"]["drives"]):
            if i < self.failed_drives(name):
                health, operational = "Unhealthy", ["Failed Media"]
            elif not node["joined"]:
                health, operational = "Warning", ["Lost Communication"]
            elif node["drives"] == "in":
                health, operational = "Warning", ["In Maintenance Mode"]
            elif node["drives"] == "leaving":
                health, operational = "Warning", ["Stopping Maintenance Mode"]
            else:
                health, operational = "Healthy", ["OK"]
            # A clustered drive's DeviceId is a thousand and more per node, by examples.
            rows.append({"node": name, "device": 1000 * int(node["member"]) + i + 1, "serial": f"{name}-{i + 1:04}", "health": health,
                         "operational": operational})
        return rows

    def do_storage(self, node, args, local):
        """Everything that the Storage module reads. Without the cluster service the clustered pool is out of reach; the local system drive is not."""
        value = {"me": node, "clustered": self.cluster_runs(node), "system": self.switches.value(node, "disk-free") or 60 * 2**30, "name": self.state["name"]}
        if not value["clustered"]:
            return {**value, "nodes": []}
        operational, health = self.disk_state()
        good = self.pool_quorum() and all(n["joined"] for n in self.nodes.values()) and not any(self.failed_drives(n) for n in self.nodes)
        pool = {"health": "Healthy", "operational": ["OK"], "readonly": False, "reason": "None"}
        if not self.pool_quorum():
            pool = {"health": "Unknown", "operational": ["Read-only"], "readonly": True, "reason": "Incomplete"}
        elif not good:
            pool = {"health": "Warning", "operational": ["Degraded"], "readonly": False, "reason": "None"}
        forced = self.switches.value("cluster", "pool")
        value["pool"] = {**(forced or pool), "version": self.state["storage"]["pool_version"]}
        value["disks"] = [{"name": d, "operational": operational, "health": health, "detached": "Incomplete" if operational == ["Detached"] else "None"}
                          for d in self.state["storage"]["disks"]]
        value["jobs"] = self.jobs()
        value["drives"] = [row for name in sorted(self.nodes) for row in self.drives(name)]
        value["nodes"] = [{"name": n, "up": self.nodes[n]["joined"]} for n in sorted(self.nodes)]
        return value

    def volumes(self):
        """Get-ClusterSharedVolume and its state on each node. A healthy ReFS volume is redirected, with the reason FileSystemReFs."""
        s = self.state["storage"]
        owner = next((n for n in sorted(self.nodes) if self.serves(n)), sorted(self.nodes)[0])
        rows = []
        for disk in s["disks"]:
            rows.append({"name": f"Cluster Virtual Disk ({disk})", "friendly": disk, "owner": owner, "online": not s["unavailable"],
                         "nodes": [n for n in sorted(self.nodes) if self.nodes[n]["joined"]]})
        return rows
