"""The Java flags both JVM engines start with."""

from gyre_local.java import Java
from gyre_local.setup import JARS


def java_argv(
    java: Java, *, engine: str, heap_megabytes: int, class_path: str, options: tuple[str, ...] = ()
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
        f"-XX:SharedArchiveFile={JARS / f'{engine}-java{java.version}.jsa'}",
        "-Xlog:disable",
        "-Xlog:all=error:stderr",
        "-Xlog:cds=off:stderr",
        "-Dfile.encoding=UTF-8",
        *unsafe,
        *options,
        "-cp",
        class_path,
    )
