"""The engines that Gyre stands on, each as a process that the supervisor can run.

All data of an engine lies under HOME/NAME and survives whatever kills it. Each function raises
SetupError when what the engine needs is not installed.
"""

import base64
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

from gyre_local import setup
from gyre_local.errors import StartError
from gyre_local.ports import Ports
from gyre_local.probes import HttpProbe, KafkaProbe, WakingProbe
from gyre_local.process import ProcessSpec
from gyre_local.secrets import (
    CLICKHOUSE_PASSWORD,
    ELASTICSEARCH_PASSWORD,
    LANGUAGE_MODEL_KEY,
    Secret,
)

_TEMPLATES = setup.PROJECT / "engines"
_STOP_GRACE = 20.0
_VECTOR_MODULE = "jdk.incubator.vector"


def kafka(home: Path, ports: Ports) -> ProcessSpec:
    """Kafka 4 on one node: broker and controller in one process, no other to wait for."""
    setup.require_jars()
    java = setup.find_java()
    data, properties = home / "kafka" / "data", home / "kafka" / "server.properties"

    def prepare() -> None:
        data.mkdir(parents=True, exist_ok=True)
        template = (_TEMPLATES / "kafka" / "server.properties").read_text()
        properties.write_text(
            template.format(port=ports.kafka, controller_port=ports.kafka_controller, data=data)
        )
        if not (data / "meta.properties").exists():
            _format_kafka(java, properties)

    logging = f"-Dlog4j2.configurationFile={_TEMPLATES / 'kafka' / 'log4j2.properties'}"
    argv = _java_argv(java, "kafka", 256, class_path=f"{setup.KAFKA_JARS}/*", options=(logging,))
    return ProcessSpec(
        name="kafka",
        argv=(*argv, "kafka.Kafka", str(properties)),
        probe=KafkaProbe(ports.kafka),
        ports={"kafka": ports.kafka, "kafka controller": ports.kafka_controller},
        prepare=prepare,
        stop_grace=_STOP_GRACE,
    )


def elasticsearch(home: Path, ports: Ports) -> ProcessSpec:
    """Elasticsearch 9 from plain jars and a launcher of ours; every path asks for the password."""
    setup.require_jars()
    java = setup.find_java()
    config = home / "elasticsearch" / "config"
    password = Secret.of(home, ELASTICSEARCH_PASSWORD)

    def prepare() -> None:
        password.ensure()
        config.mkdir(parents=True, exist_ok=True)
        template = (_TEMPLATES / "elasticsearch" / "elasticsearch.yml").read_text()
        (config / "elasticsearch.yml").write_text(
            template.format(
                data=config.with_name("data"),
                logs=config.with_name("logs"),
                port=ports.elasticsearch,
                transport_port=ports.elasticsearch_transport,
                password_file=password.path,
            )
        )

    vector = ("--add-modules", _VECTOR_MODULE) if _VECTOR_MODULE in java.modules else ()
    argv = _java_argv(
        java,
        "elasticsearch",
        512,
        class_path=f"{setup.ELASTICSEARCH_HOME}/lib/*",
        options=(*vector, "--enable-native-access=ALL-UNNAMED"),
    )
    return ProcessSpec(
        name="elasticsearch",
        argv=(*argv, "gyre.local.SingleNode", str(setup.ELASTICSEARCH_HOME), str(config)),
        probe=HttpProbe(
            ports.elasticsearch,
            "/_cluster/health?wait_for_status=yellow&timeout=1s",
            login=lambda: ("elastic", password.read()),
        ),
        ports={
            "elasticsearch": ports.elasticsearch,
            "elasticsearch transport": ports.elasticsearch_transport,
        },
        prepare=prepare,
        stop_grace=_STOP_GRACE,
    )


def clickhouse(home: Path, ports: Ports) -> ProcessSpec:
    """ClickHouse in process (chdb) behind ClickHouse's own HTTP protocol."""
    password = Secret.of(home, CLICKHOUSE_PASSWORD)
    return ProcessSpec(
        name="clickhouse",
        argv=(
            *(sys.executable, "-m", "gyre_local.clickhouse_endpoint"),
            *("--data", str(home / "clickhouse"), "--port", str(ports.clickhouse)),
            *("--password-file", str(password.path)),
        ),
        probe=HttpProbe(ports.clickhouse, "/ping"),
        ports={"clickhouse": ports.clickhouse},
        prepare=password.ensure,
        stop_grace=_STOP_GRACE,
    )


def language_model(home: Path, ports: Ports) -> ProcessSpec:
    """Language models behind OpenAI's protocol; at rest until somebody connects."""
    key = Secret.of(home, LANGUAGE_MODEL_KEY)
    return ProcessSpec(
        name="language-model",
        argv=(
            *(sys.executable, "-m", "gyre_local.language_model"),
            *("--key-file", str(key.path)),
        ),
        probe=WakingProbe(),
        ports={"language model": ports.language_model},
        prepare=key.ensure,
        wakes_on=ports.language_model,
    )


ENGINES: dict[str, Callable[[Path, Ports], ProcessSpec]] = {
    "kafka": kafka,
    "elasticsearch": elasticsearch,
    "clickhouse": clickhouse,
    "language-model": language_model,
}


def _java_argv(
    java: setup.Java, engine: str, heap_megabytes: int, *, class_path: str, options: tuple[str, ...]
) -> tuple[str, ...]:
    """A command up to the main class.

    The class data archive is written at the first clean stop and halves the CPU time of every
    start after it, whatever the home; a JVM that cannot use it starts without.
    """
    # Netty and Kafka still reach for sun.misc.Unsafe, and newer Javas say so at each start.
    unsafe = ("--sun-misc-unsafe-memory-access=allow",) if java.version >= 23 else ()
    return (
        java.executable,
        f"-Xmx{heap_megabytes}m",
        "-Xms64m",
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:+AutoCreateSharedArchive",
        f"-XX:SharedArchiveFile={setup.JARS / f'{engine}-java{java.version}.jsa'}",
        "-Xlog:disable",
        "-Xlog:all=error:stderr",
        "-Xlog:cds=off:stderr",
        "-Dfile.encoding=UTF-8",
        *unsafe,
        *options,
        "-cp",
        class_path,
    )


def _format_kafka(java: setup.Java, properties: Path) -> None:
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    tool = (java.executable, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
    arguments = ("format", "--cluster-id", cluster_id, "--config", str(properties))
    result = subprocess.run(
        (*tool, "-cp", f"{setup.KAFKA_JARS}/*", "kafka.tools.StorageTool", *arguments),
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        lines = (result.stdout + result.stderr).strip().splitlines()
        raise StartError(f"Kafka cannot format {properties.parent}: {lines[-1] if lines else ''}")
