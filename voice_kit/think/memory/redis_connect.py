"""Where a Redis is: one server, one that Sentinels name, or a Cluster."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from voice_kit.errors import MissingEngineError, install

PORTS = {"sentinel": 26379, "cluster": 6379}


@dataclass(frozen=True)
class RedisUrl:
    """`redis://host:6379/0`, `redis+sentinel://host:26379,host2:26379/mymaster/0` or
    `redis+cluster://host:6379,host2:6379`; `rediss…` asks for TLS, `unix://` is a socket.

    Behind “?” stand redis-py's options, and `sentinel_password` where the Sentinels have one.
    """

    url: str

    def __post_init__(self) -> None:
        """Raises `ValueError` for what is no such address; `MissingEngineError` without
        redis-py."""
        try:
            import redis
        except ImportError as error:
            raise MissingEngineError("redis-py", fix=install("redis")) from error
        if not self.kind:
            redis.ConnectionPool.from_url(self.url)  # reads the address, and does not connect
            return
        self._options()
        if not all(host for host, _ in self.hosts):
            raise ValueError("no host")
        if self.kind == "sentinel" and not self._path[0]:
            raise ValueError("no service")

    @property
    def kind(self) -> str:
        """ "sentinel", "cluster", or "" for a server of which this is the address."""
        return self._parts.scheme.partition("+")[2]

    @property
    def where(self) -> str:
        """The same without passwords, for people."""
        netloc = self._parts.netloc.rpartition("@")[2]
        return urlunsplit(self._parts._replace(netloc=netloc, query=""))

    @cached_property
    def hosts(self) -> list[tuple[str, int]]:
        """Which to ask first, in this order."""
        found = []
        for each in self._parts.netloc.rpartition("@")[2].split(","):
            parts = urlsplit(f"//{each}")
            found.append((parts.hostname or "", parts.port or PORTS[self.kind]))
        return found

    def blocking(self, wait: float) -> Any:
        """A client; of a Cluster one that has connected. Each step takes `wait` seconds at
        most."""
        import redis
        from redis.cluster import ClusterNode
        from redis.retry import Retry
        from redis.sentinel import Sentinel

        return self._client(wait, redis, ClusterNode, Retry, Sentinel)

    def awaited(self, wait: float) -> Any:
        """The same for asyncio; it connects when it is used."""
        import redis.asyncio as redis
        from redis.asyncio.cluster import ClusterNode
        from redis.asyncio.retry import Retry
        from redis.asyncio.sentinel import Sentinel

        return self._client(wait, redis, ClusterNode, Retry, Sentinel)

    def _client(self, wait: float, redis: Any, node: Any, retry: Any, sentinel: Any) -> Any:
        from redis.backoff import NoBackoff

        # One more try, for a connection that was closed while nobody spoke.
        limits = {"socket_timeout": wait, "socket_connect_timeout": wait}
        common = {**limits, "decode_responses": True, "retry": retry(NoBackoff(), 1)}
        if not self.kind:
            return redis.Redis.from_url(self.url, **common)
        options = common | self._options()
        if self.kind == "cluster":
            nodes = [node(host, port) for host, port in self.hosts]
            return redis.RedisCluster(startup_nodes=nodes, **options)
        password = dict(parse_qsl(self._parts.query)).get("sentinel_password")
        secure = {key: value for key, value in options.items() if key.startswith("ssl")}
        asked = {**limits, **secure, "retry": retry(NoBackoff(), 0), "password": password}
        return sentinel(self.hosts, sentinel_kwargs=asked).master_for(self._path[0], **options)

    @property
    def _parts(self) -> SplitResult:
        return urlsplit(self.url)

    @property
    def _path(self) -> list[str]:
        """Of Sentinels the service and the number of the database."""
        return [*self._parts.path.strip("/").split("/"), ""]

    def _options(self) -> dict[str, Any]:
        """What redis-py itself reads from such an address of one server."""
        from redis.connection import SSLConnection, parse_url

        scheme, _, end = self._parts.scheme.partition("+")
        if scheme not in ("redis", "rediss") or end not in PORTS:
            raise ValueError("no such kind of address")
        login = self._parts.netloc.rpartition("@")[0]
        number = self._path[1] if end == "sentinel" else ""
        query = [pair for pair in parse_qsl(self._parts.query) if pair[0] != "sentinel_password"]
        one = SplitResult(scheme, f"{login}@host", f"/{number}", urlencode(query), "")
        options: dict[str, Any] = dict(parse_url(urlunsplit(one)))  # type: ignore[no-untyped-call]
        options.pop("host", None)
        if options.pop("connection_class", None) is SSLConnection:
            options["ssl"] = True
        return options
