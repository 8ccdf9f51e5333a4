"""Kafka on one node: broker and controller in one process, no other to wait for."""

import base64
import subprocess
import uuid
from pathlib import Path

from gyre_local.engines.engine import Engine
from gyre_local.engines.jvm import java_argv
from gyre_local.errors import StartError
from gyre_local.java import Java, find_java
from gyre_local.probes import KafkaProbe
from gyre_local.process import ProcessSpec
from gyre_local.setup import KAFKA_JARS, require_jars

_HEAP_MEGABYTES = 256

_SERVER = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={data}

# Topics are made by who owns them, with their own settings.
auto.create.topics.enable=false
num.partitions=4

# One node: whatever is replicated in production has one copy here.
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1

# A broker that was killed may come back once its old session has run out (9 s by default).
broker.session.timeout.ms=5000
broker.heartbeat.interval.ms=1000

# Nobody else is coming to join a group.
group.initial.rebalance.delay.ms=0

log.retention.hours=720
log.segment.bytes=67108864
log.index.size.max.bytes=1048576
log.cleaner.backoff.ms=5000
log.cleaner.dedupe.buffer.size=16777216
message.max.bytes=2097152
"""

_LOGGING = """\
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{ISO8601} %p %m (%c{1})%n
rootLogger.level=WARN
rootLogger.appenderRef.console.ref=console
logger.server.name=kafka.server
logger.server.level=INFO
"""


class KafkaEngine(Engine):
    """Kafka 4 on KRaft."""

    name = "kafka"

    def spec(self) -> ProcessSpec:
        """See Engine."""
        require_jars()
        java = find_java()
        return ProcessSpec(
            name=self.name,
            argv=(*self._java(java), "kafka.Kafka", str(self._properties)),
            probe=KafkaProbe(self.ports.kafka),
            ports={"kafka": self.ports.kafka, "kafka controller": self.ports.kafka_controller},
            prepare=lambda: self._prepare(java),
            stop_grace=20.0,
        )

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    def _java(self, java: Java) -> tuple[str, ...]:
        return java_argv(
            java,
            engine=self.name,
            heap_megabytes=_HEAP_MEGABYTES,
            class_path=f"{KAFKA_JARS}/*",
            options=(f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}",),
        )

    def _prepare(self, java: Java) -> None:
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        self._properties.write_text(
            _SERVER.format(
                port=self.ports.kafka, controller_port=self.ports.kafka_controller, data=data
            )
        )
        (self.folder / "log4j2.properties").write_text(_LOGGING)
        if not (data / "meta.properties").exists():
            self._format(java)

    def _format(self, java: Java) -> None:
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        tool = (java.executable, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
        arguments = ("format", "--cluster-id", cluster_id, "--config", str(self._properties))
        result = subprocess.run(
            (*tool, "-cp", f"{KAFKA_JARS}/*", "kafka.tools.StorageTool", *arguments),
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            lines = (result.stdout + result.stderr).strip().splitlines()
            raise StartError(f"Kafka cannot format {self.folder}: {lines[-1] if lines else ''}")
