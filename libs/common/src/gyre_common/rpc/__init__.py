"""gRPC as every Gyre service speaks it: `serve` on one side, `channel`, `call`, `stream` on the
other, and the request's context between them.
"""

from gyre_common.context import RequestContext, request_context, use_context, use_versions
from gyre_common.rpc.client import call, channel, stream
from gyre_common.rpc.server import RpcServer, ServicerContext, serve

__all__ = [
    "RequestContext",
    "RpcServer",
    "ServicerContext",
    "call",
    "channel",
    "request_context",
    "serve",
    "stream",
    "use_context",
    "use_versions",
]
