"""Names whoever holds a port that we need, before anything starts."""

import socket
from collections.abc import Iterable

import psutil

from gyre_local.errors import PortTakenError
from gyre_local.process import ProcessSpec


def ensure_ports_free(specs: Iterable[ProcessSpec]) -> None:
    """Raises PortTakenError that lists every port in use and its owner where the system tells."""
    wanted = [(name, port) for spec in specs for name, port in spec.ports.items()]
    taken = [(name, port) for name, port in wanted if not is_free(port)]
    if taken:
        owners = _listeners()
        listed = ", ".join(
            f"{port} for {name} (by {owners.get(port, 'a process of another user')})"
            for name, port in taken
        )
        raise PortTakenError(f"taken: port {listed}; stop it or shift all ports with --port-offset")


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _listeners() -> dict[int, str]:
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return {}
    listening = (one for one in connections if one.status == psutil.CONN_LISTEN)
    return {one.laddr[1]: _name(one.pid) for one in listening if one.laddr and one.pid}


def _name(pid: int) -> str:
    try:
        return f"{psutil.Process(pid).name()}, pid {pid}"
    except psutil.Error:
        return f"pid {pid}"
