"""Keeps the ports that we need, before anything starts, or names whoever has them."""

import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import psutil

from gyre_local.errors import PortTakenError
from gyre_local.process import ProcessSpec


@contextmanager
def reserved_ports(specs: Iterable[ProcessSpec]) -> Iterator[None]:
    """While the block is open no outgoing connection of this machine is given one of the ports.

    gRPC's usual ports lie in the range from which Linux takes those of outgoing connections, and
    the engines and services make some hundred of these while others still wait for their turn to
    listen. A socket that is bound but does not listen keeps its port out of that range, and does
    not hinder servers, which bind with SO_REUSEADDR as it does. Raises PortTakenError, which lists
    every port in use and its owner where the system tells.
    """
    needed = [(name, port) for spec in specs for name, port in spec.ports.items()]
    in_use = []
    with ExitStack() as sockets:
        for name, port in needed:
            try:
                sockets.enter_context(_bound_socket(port))
            except OSError:
                in_use.append((name, port))
        if not in_use:
            yield
            return
    owners = _owners()
    listed = ", ".join(
        f"{port} for {name} (by {owners.get(port, 'a process of another user')})"
        for name, port in in_use
    )
    raise PortTakenError(f"taken: port {listed}; stop it or shift all ports with --port-offset")


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with suppress(OSError):
        _bound_socket(port).close()
        return True
    return False


def _bound_socket(port: int) -> socket.socket:
    reserved = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", port))
    except OSError:
        reserved.close()
        raise
    return reserved


def _owners() -> dict[int, str]:
    """Who listens at a port, or else whose connection goes out from it."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return {}
    owners: dict[int, str] = {}
    for one in sorted(connections, key=lambda one: one.status == psutil.CONN_LISTEN):
        if one.laddr and one.pid:
            with suppress(psutil.NoSuchProcess):
                owners[one.laddr[1]] = f"{psutil.Process(one.pid).name()}, pid {one.pid}"
    return owners
