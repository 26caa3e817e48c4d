"""`environment.py FOLDER/nodes/NAME`: the environment of that stub node's processes, as JSON; `environment.py --start FOLDER` starts the cluster's platform.

Importable as well: `of(FOLDER, NAME)`.
"""

import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from stub import environment, serve  # noqa: E402 - found beside this file


def of(folder, node):
    with open(os.path.join(folder, "cluster.json"), encoding="utf-8") as file:
        return environment.of(folder, node, json.load(file)["made"])


if __name__ == "__main__":
    if sys.argv[1] == "--start":
        serve.start(sys.argv[2])
        sys.exit(0)
    home = os.path.abspath(sys.argv[1])
    print(json.dumps(of(os.path.dirname(os.path.dirname(home)), os.path.basename(home)), indent=1))
