"""Services, the operating system's own facts, and the event log of a node."""

from . import processes


class Services:
    def log(self, node, log, provider, number, message, level=2):
        self.nodes[node]["log"].insert(0, {"at": self.now, "log": log, "provider": provider, "id": number, "message": message, "level": level})
        del self.nodes[node]["log"][200:]

    def do_events(self, node, args, local):
        return self.nodes[node]["log"]

    def do_services(self, node, args, local):
        services = {name: dict(service) for name, service in self.nodes[node]["services"].items()}
        # Without quorum the cluster service does not stay up.
        if not self.state["formed"] and services["clussvc"]["status"] == "Running":
            services["clussvc"]["status"] = "Stopped"
        return services

    def do_set_service(self, node, args, local):
        it = self.nodes[node]
        service = it["services"].get(args["name"])
        if service is None:
            self.refuse("NoServiceFoundForGivenName", "ObjectNotFound", f"Cannot find any service with service name '{args['name']}'.")
        if args.get("start"):
            service["start"] = args["start"]
        wanted = args.get("status")
        if wanted == "Running" and service["status"] != "Running":
            if service["start"] == "Disabled":
                self.refuse("CouldNotStartService", "OpenError", f"Service '{args['name']}' cannot be started due to the following error: Cannot start service", 0x80070422)
            service["status"] = "Running"
            if args["name"] == "clussvc":
                self.after(self.dice.about("join", self.pace("join")), "joins", node=node, power=it["power"])
        elif wanted == "Stopped" and service["status"] != "Stopped":
            service["status"] = "Stopped"
            if args["name"] == "clussvc":
                self.leaves_in_order(node)
                self.changed()
        return True

    def do_host(self, node, args, local):
        """What the Win32 classes are made of."""
        it = self.nodes[node]
        skew = int(self.switches.value(node, "clock-skew") or 0)
        # A controller under a faster clock needs nodes under the same one.
        scale = self.switches.value(node, "clock-scale")
        if scale:
            skew += (self.now - int(scale["origin"])) * (int(scale["times"]) - 1)
        return {
            "name": node, "machine": it["machine"], "build": it["build"], "revision": it["revision"], "boot_ms": it["boot_ms"] + skew,
            "up_ms": self.now - it["boot_ms"], "now_ms": self.now + skew, "installed_ms": it["installed_ms"] + skew,
            "memory_mib": self.state["node_mib"], "free_mib": max(0, self.free_mib(node)) if self.nodes[node]["joined"] else self.state["node_mib"],
            "free": self.switches.value(node, "disk-free") or 60 * 2**30, "domain": "fabric.example", "vms": self.vms(node),
            "azure": self.switches.value(node, "azure") or self.state["azure"], "bitlocker": it["bitlocker"],
        }

    def vms(self, node):
        return [{"name": r["name"], "id": r["id"], "mib": r["mib"]} for r in self.roles_on(node) if r["kind"] == "VirtualMachine"]

    def do_process_names(self, node, args, local):
        """As Get-Process names them. What the agent stages is Windows Setup's work too: its host runs as long."""
        it = self.nodes[node]
        names = {f["name"].removesuffix(".exe") for f in self.do_processes(node, args, local)}
        operation = it["agent"]["operation"]
        if it["setup"] is not None and it["setup"]["code"] is None or operation is not None and operation["what"] == "install" and operation["result"] is None:
            names.add("SetupHost")
        if it["upgrade"] is not None:
            names.add("windeploy")
        return sorted(names)

    def do_flushed(self, node, args, local):
        """A script's memory is on the disk; here a node may go down (the switch crash-after-flushes: after so many more)."""
        left = self.nodes[node].get("crash_after")
        if left is None:
            return True
        if left > 0:
            self.nodes[node]["crash_after"] = left - 1
            return True
        self.nodes[node]["crash_after"] = None
        self.goes_down(node, False)
        return True

    def do_processes(self, node, args, local):
        found = (processes.facts(pid) for pid in processes.of_node(self.folder, node))
        return [f for f in found if f is not None]
