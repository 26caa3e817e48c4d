"""What an account may do that is no administrator of the node: it has read-only access to the cluster (Microsoft: Grant-ClusterAccess) and may open a shell.

Processes of such an account have DRYDOCK_RIGHTS=reader in their environment; a task's process has not, as it runs as SYSTEM. The registry and the files are
no calls of the platform: `modules/WindowsProviders` and `seam.ps1` refuse those.
"""

# Of the commands that ask for a picture of services, tasks, storage or the cluster first and then act, the first call is refused: nothing was done.
CLUSTER_READS = ("Get-", "Test-")
STORAGE_SPACE = "root/microsoft/windows/storage"


class Rights:
    def drawn_once(self, question):
        """A right is a property of the machine: drawn once for a cluster, not at each call."""
        fixed = self.switches.drawn(question)
        if fixed is not None:
            return bool(fixed)
        kept = self.state.setdefault("rights", {})
        if question not in kept:
            kept[question] = self.dice.one_in(question, 2)
        return kept[question]

    def look_at_rights(self, node, call, args, cmdlet):
        """Refuses what a reader may not. What it says is what Windows says; the doors that no document describes are drawn."""
        cmdlet = cmdlet or ""
        space = str(args.get("space") or "").lower()
        if call == "services" or call == "set_service":
            # A network logon may connect to the service control manager and no more: it may not list services (Microsoft: Service Security and Access Rights).
            self.refuse("System.InvalidOperationException", "NotSpecified",
                        "Cannot open Service Control Manager on computer '.'. This operation might require other privileges.", 0, "Service")
        elif call in ("cluster", "suspend", "resume", "would_lose_quorum") and space != "root/mscluster":
            if not cmdlet.startswith(CLUSTER_READS) and "-Cluster" in cmdlet:
                self.denied(cmdlet)
        elif call in ("task_register", "task_start", "task_stop", "task_unregister", "task_disable"):
            self.refuse("HRESULT 0x80070005", "PermissionDenied", "Access is denied.", 0x80070005)
        elif call == "host" and cmdlet in ("Get-VM", "Get-VMHost"):
            self.refuse("AccessDenied", "PermissionDenied", "You do not have the required permission to complete this task. Contact the administrator of the "
                        "authorization policy for the computer.", 0)
        elif call in ("shutdown", "abort_shutdown"):
            self.refuse("5", "PermissionDenied", "Access is denied.(5)", 0x80070005)
        elif call in ("boot_entries", "boot_delete"):
            self.refuse("1", "PermissionDenied", "The boot configuration data store could not be opened.\nAccess is denied.", 0x80070005)
        if call == "storage" and self.drawn_once("reader-storage-refuses"):
            self.refuse("MI RESULT 2", "PermissionDenied", "Access to a CIM resource was not available to the client.", 0)
        if space == "root/mscluster" and self.drawn_once("reader-mscluster-refuses"):
            self.refuse("HRESULT 0x80041003", "PermissionDenied", "Access denied ", 0x80041003)
        if space == "root/cimv2" and self.drawn_once("reader-cimv2-refuses"):
            self.refuse("HRESULT 0x80041003", "PermissionDenied", "Access denied ", 0x80041003)

    def seen_by_reader(self, call, value):
        """What is answered, and shows less: tasks of SYSTEM (only who may read a task sees it), and, where it is drawn so, the cluster's storage."""
        if call == "tasks":
            return []
        if call == "storage" and self.drawn_once("reader-storage-hides"):
            return {**value, "clustered": False, "nodes": []}
        return value
