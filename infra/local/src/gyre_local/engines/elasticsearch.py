"""Elasticsearch on one node, from plain jars and the launcher in `engines/elasticsearch`."""

from pathlib import Path

from gyre_local.engines.engine import Engine
from gyre_local.engines.jvm import java_argv
from gyre_local.java import find_java
from gyre_local.probes import HttpProbe
from gyre_local.process import ProcessSpec
from gyre_local.secrets import ELASTICSEARCH_PASSWORD, Secret
from gyre_local.setup import ELASTICSEARCH_HOME, require_jars

_HEAP_MEGABYTES = 512
_USER = "elastic"
_VECTOR_MODULE = "jdk.incubator.vector"

_SERVER = """\
cluster.name: gyre
node.name: gyre
path.data: {data}
path.logs: {logs}
network.host: 127.0.0.1
http.port: {port}
transport.port: {transport_port}
discovery.type: single-node
action.auto_create_index: false
gyre.password_file: {password_file}
logger.level: WARN
# The published jars come without the native library; Java's own code does its work.
logger.org.elasticsearch.nativeaccess: ERROR

# A laptop's disk is rarely nine tenths empty; what counts is room to write.
cluster.routing.allocation.disk.watermark.low: 2gb
cluster.routing.allocation.disk.watermark.high: 1gb
cluster.routing.allocation.disk.watermark.flood_stage: 500mb
"""


class ElasticsearchEngine(Engine):
    """Elasticsearch 9, loopback only; the password of `elastic` is asked for on every path."""

    name = "elasticsearch"

    def spec(self) -> ProcessSpec:
        """See Engine."""
        require_jars()
        java = find_java()
        vector = ("--add-modules", _VECTOR_MODULE) if _VECTOR_MODULE in java.modules else ()
        argv = java_argv(
            java,
            engine=self.name,
            heap_megabytes=_HEAP_MEGABYTES,
            class_path=f"{ELASTICSEARCH_HOME}/lib/*",
            options=(*vector, "--enable-native-access=ALL-UNNAMED"),
        )
        launcher = ("gyre.local.SingleNode", str(ELASTICSEARCH_HOME), str(self._config))
        return ProcessSpec(
            name=self.name,
            argv=(*argv, *launcher),
            probe=HttpProbe(
                self.ports.elasticsearch,
                "/_cluster/health?wait_for_status=yellow&timeout=1s",
                login=lambda: (_USER, self._password.read()),
            ),
            ports={
                "elasticsearch": self.ports.elasticsearch,
                "elasticsearch transport": self.ports.elasticsearch_transport,
            },
            prepare=self._prepare,
            stop_grace=20.0,
        )

    @property
    def _password(self) -> Secret:
        return Secret.of(self.home, ELASTICSEARCH_PASSWORD)

    @property
    def _config(self) -> Path:
        return self.folder / "config"

    def _prepare(self) -> None:
        self._password.ensure()
        self._config.mkdir(parents=True, exist_ok=True)
        (self._config / "elasticsearch.yml").write_text(
            _SERVER.format(
                data=self.folder / "data",
                logs=self.folder / "logs",
                port=self.ports.elasticsearch,
                transport_port=self.ports.elasticsearch_transport,
                password_file=self._password.path,
            )
        )
