"""What a process of a node has in its environment."""

import os
import shutil
import sys

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIBRARY = os.path.join(HERE, "modules")


def of(folder, node, made):
    """The whole environment of one node's processes."""
    home = os.path.join(os.path.abspath(folder), "nodes", node)
    windows = os.path.join(home, "Windows")
    return {
        "DRYDOCK_NODE": node,
        "DRYDOCK_CLUSTER": os.path.abspath(folder),
        "DRYDOCK_STUB": HERE,
        "DRYDOCK_PYTHON": made["python"],
        "DRYDOCK_PWSH": made["pwsh"],
        "DRYDOCK_SEAM": os.path.join(HERE, "seam.ps1"),
        "PWSH_REGISTRY": os.path.join(home, "registry.json"),
        "ProgramData": os.path.join(home, "ProgramData"),
        "SystemDrive": os.path.join(home, "C"),
        "SystemRoot": windows,
        "windir": windows,
        "TEMP": os.path.join(windows, "Temp"),
        "TMP": os.path.join(windows, "Temp"),
        "COMPUTERNAME": node,
        "HOME": home,
        "PATH": os.pathsep.join([os.path.join(windows, "System32"), "/usr/local/bin", "/usr/bin", "/bin"]),
        "PSModulePath": os.path.join(home, "Modules"),
        "PSModuleAnalysisCachePath": os.path.join(os.path.abspath(folder), "module-cache"),
        "PYTHONPYCACHEPREFIX": os.path.join(os.path.abspath(folder), "pycache"),
        "LANG": "C.UTF-8",
        "DOTNET_EnableDiagnostics": "0",
        # Many short-lived PowerShells on few cores: no collector beside the work, and less compiling of what runs a few times only (numbers are hexadecimal).
        "DOTNET_gcConcurrent": "0",
        # Whoever runs very many at once, and must share the memory, says less.
        "DOTNET_GCgen0size": os.environ.get("DOTNET_GCgen0size", "0x4000000"),
        "DOTNET_TC_CallCountThreshold": "1000",
        "POWERSHELL_TELEMETRY_OPTOUT": "1",
        "POWERSHELL_UPDATECHECK": "Off",
    }


def program(name, env):
    """Where a program is; a path may be written the way of Windows."""
    name = name.replace("%SystemRoot%", env["SystemRoot"]).replace("\\", "/")
    if os.path.sep in name:
        if os.path.exists(name):
            return name
        name = os.path.basename(name)
    if name.lower() in ("powershell", "pwsh", "pwsh.exe"):
        name = "powershell.exe"
    return shutil.which(name, path=env["PATH"])


def python():
    return sys.executable
