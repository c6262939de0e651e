"""Real Redis servers that hang together: a Cluster, and one that a Sentinel watches."""

from __future__ import annotations

import socket
import subprocess
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis
from redis_server import redis_server

SLOTS = 16384


def free_ports(count: int, room_for_bus: bool = False) -> list[int]:
    """Free ports of this machine; of a Cluster's nodes those 10,000 higher are theirs too."""
    with ExitStack() as held:
        found = []
        while len(found) < count:
            port = held.enter_context(socket.socket())
            port.bind(("127.0.0.1", 0))
            number = port.getsockname()[1]
            if room_for_bus:
                number = number % 20000 + 20000
            found.append(number)
        return found


@contextmanager
def redis_cluster(folder: Path, nodes: int = 3):
    """Its ports, once it serves all slots."""
    with ExitStack() as running:
        ports = free_ports(nodes, room_for_bus=True)
        for port in ports:
            own = folder / str(port)
            own.mkdir()
            options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1000")
            running.enter_context(redis_server(own, *options, port=port))
        each = [redis.Redis(port=port, decode_responses=True) for port in ports]
        share = -(-SLOTS // nodes)
        for number, server in enumerate(each):
            first = number * share
            server.execute_command("CLUSTER", "ADDSLOTSRANGE", first, min(first + share, SLOTS) - 1)
            server.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            each[0].execute_command("CLUSTER", "MEET", "127.0.0.1", ports[number])
        while not all(_whole(server, nodes) for server in each):
            pass
        yield ports


def _whole(server, nodes):
    about = server.execute_command("CLUSTER INFO")
    return about["cluster_state"] == "ok" and about["cluster_known_nodes"] == str(nodes)


@contextmanager
def watched_redis(folder: Path):
    """The Sentinel's port, and a function that kills the master it names."""
    main, spare, watcher = free_ports(3)
    with ExitStack() as running:
        for name in ("main", "spare"):
            (folder / name).mkdir()
        first = running.enter_context(redis_server(folder / "main", port=main))
        replica = ("--replicaof", f"127.0.0.1 {first}", "--repl-diskless-sync-delay", "0")
        running.enter_context(redis_server(folder / "spare", *replica, port=spare))
        copy = redis.Redis(port=spare, decode_responses=True)
        while copy.info("replication")["master_link_status"] != "up":
            pass
        settings = folder / "sentinel.conf"
        settings.write_text(
            f"port {watcher}\nbind 127.0.0.1\ndir {folder}\n"
            f"sentinel monitor mymaster 127.0.0.1 {main} 1\n"
            "sentinel down-after-milliseconds mymaster 300\n"
            "sentinel failover-timeout mymaster 3000\n"
        )
        sentinel = subprocess.Popen(
            ["redis-server", str(settings), "--sentinel"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running.callback(sentinel.communicate)
        running.callback(sentinel.kill)
        for line in sentinel.stdout:
            if "+monitor master" in line:
                break
        asked = redis.Redis(port=watcher, decode_responses=True)
        while asked.sentinel_master("mymaster")["num-slaves"] < 1:
            pass

        def kill_master():
            redis.Redis(port=main).shutdown(nosave=True)

        yield watcher, kill_master
