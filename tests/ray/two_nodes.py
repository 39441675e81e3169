"""A Ray of two nodes on this machine until standard input ends; a process of its own.

Whether calls need a token is fixed when Ray is imported, so no other test may share the process.
"""

import json
import shutil
import sys
import tempfile

from ray.cluster_utils import Cluster

# Not pytest's folder: the path of a socket has to be short.
folder = tempfile.mkdtemp(prefix="ray-")
cluster = Cluster(
    initialize_head=True,
    head_node_args={
        "num_cpus": 1,
        "temp_dir": folder,
        "include_dashboard": True,
        "dashboard_host": "127.0.0.1",
        "dashboard_port": 0,
    },
)
second = cluster.add_node(num_cpus=1)
(raylet,) = second.all_processes["raylet"]
print(
    json.dumps(
        {"address": cluster.address, "second": second.node_id, "raylet": raylet.process.pid}
    ),
    flush=True,
)
try:
    sys.stdin.read()
finally:
    cluster.shutdown()
    shutil.rmtree(folder, ignore_errors=True)
