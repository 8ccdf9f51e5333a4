"""Every RPC has a row that says which role it needs, and every server holds keys to it."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import MethodDescriptor
from gyre.releases.v1 import releases_pb2, releases_pb2_grpc
from gyre.telemetry.v1 import telemetry_pb2, telemetry_pb2_grpc
from gyre_common.context import RequestContext
from gyre_common.errors import PermissionDenied
from gyre_common.identities import DAILY_ROLES, Identity, KeyRole
from gyre_common.rpc import call, channel, request_context, serve
from gyre_common.rpc.permissions import PERMISSIONS, check_permission

PROTO = Path(__file__).parents[3] / "proto"
SERVICE = "key-of-the-services"
OPERATORS_ALONE = {
    *("DecideQuarantine", "Promote", "Rollback", "SetShadow", "RegisterVersion", "RemoveVersion"),
    *("StartIndexRebuild", "Redact", "Forget", "Skip", "Replay", "Drop", "StartRun", "CancelRun"),
}


def methods() -> Iterator[MethodDescriptor]:
    for path in sorted(PROTO.rglob("*.proto")):
        parts = path.relative_to(PROTO).with_suffix("").parts
        module = import_module(".".join(parts) + "_pb2")
        for service in module.DESCRIPTOR.services_by_name.values():
            yield from service.methods


def path_of(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


def somebody(*roles: KeyRole, tenants: tuple[str, ...] = ("acme",)) -> Identity:
    return Identity(key="key-of-ann-0123456", actor="ann", tenants=tenants, roles=frozenset(roles))


def test_every_method_has_a_row_and_every_row_a_service() -> None:
    paths = {path_of(method) for method in methods()}
    services = {path.rpartition("/")[0] for path in paths}
    assert paths <= PERMISSIONS.keys()
    assert {path.rpartition("/")[0] for path in PERMISSIONS} == services


@pytest.mark.parametrize("path", PERMISSIONS)
@pytest.mark.parametrize("role", KeyRole)
def test_a_role_opens_the_methods_whose_row_has_it_and_no_other(path: str, role: KeyRole) -> None:
    identity = somebody(role, tenants=("acme", "*"))
    if role in PERMISSIONS[path].roles:
        check_permission(identity, path)
    else:
        with pytest.raises(PermissionDenied, match=rf"and ann has {role}: ask who sets"):
            check_permission(identity, path)


def test_what_cannot_be_taken_back_is_the_operators_alone() -> None:
    alone = {path.rpartition("/")[2] for path, row in PERMISSIONS.items() if len(row.roles) == 1}
    operators = {
        path.rpartition("/")[2]
        for path, row in PERMISSIONS.items()
        if row.roles == {KeyRole.OPERATOR}
    }
    assert OPERATORS_ALONE <= operators <= alone


def test_a_key_without_roles_does_all_but_what_operators_do() -> None:
    identity = Identity(key="key-of-ann-0123456", actor="ann")
    assert identity.roles == DAILY_ROLES == set(KeyRole) - {KeyRole.OPERATOR}
    for path, row in PERMISSIONS.items():
        if row.roles != {KeyRole.OPERATOR}:
            check_permission(identity, path)


def test_what_concerns_every_tenant_needs_a_key_for_all_of_them() -> None:
    shared = [path for path, row in PERMISSIONS.items() if row.every_tenant]
    assert shared
    for path in shared:
        check_permission(somebody(KeyRole.OPERATOR, tenants=("*",)), path)
        with pytest.raises(PermissionDenied, match=r"concerns every tenant.*add \* to the tenants"):
            check_permission(somebody(KeyRole.OPERATOR), path)


def test_a_method_that_nobody_thought_of_is_open_to_no_identity() -> None:
    with pytest.raises(PermissionDenied, match="New is open to no key of GYRE_IDENTITIES"):
        check_permission(somebody(*KeyRole, tenants=("*",)), "/gyre.tea.v1.TeaService/New")


class Services(
    releases_pb2_grpc.ReleaseServiceServicer, telemetry_pb2_grpc.DeadLetterServiceServicer
):
    """Remember who got through."""

    def __init__(self) -> None:
        self.callers: list[RequestContext] = []

    async def Promote(self, request: Any, context: Any) -> Any:
        self.callers.append(request_context())
        return releases_pb2.PromoteResponse()

    async def List(self, request: Any, context: Any) -> Any:
        self.callers.append(request_context())
        return telemetry_pb2.ListDeadLettersResponse()


READER = Identity(key="key-of-the-reader", actor="bob", roles=frozenset({KeyRole.READER}))
OPERATOR = Identity(key="key-of-the-operator", actor="ann", roles=frozenset({KeyRole.OPERATOR}))
CHIEF = Identity(
    key="key-of-the-chief-01", actor="eve", roles=frozenset({KeyRole.OPERATOR}), tenants=("*",)
)


async def test_a_server_holds_keys_to_the_table_and_lets_services_do_all() -> None:
    services = Services()
    promotion, listing = releases_pb2.PromoteRequest(), telemetry_pb2.ListDeadLettersRequest()
    async with serve([services], keys=(SERVICE,), identities=(READER, OPERATOR, CHIEF)) as server:

        async def ask(key: str, *, tenant: str = "default") -> None:
            address = f"127.0.0.1:{server.port}"
            async with channel(address, key=key, tenant=tenant) as connection:
                await call(releases_pb2_grpc.ReleaseServiceStub(connection).Promote, promotion)
                await call(telemetry_pb2_grpc.DeadLetterServiceStub(connection).List, listing)

        with pytest.raises(PermissionDenied, match="Promote needs the role operator, and bob"):
            await ask(READER.key.get_secret_value())
        assert services.callers == []
        with pytest.raises(PermissionDenied, match="List concerns every tenant"):
            await ask(OPERATOR.key.get_secret_value())
        assert [caller.is_for_every_tenant for caller in services.callers] == [False]
        await ask(CHIEF.key.get_secret_value(), tenant="whichever")
        await ask(SERVICE)
    assert [caller.is_for_every_tenant for caller in services.callers] == [False] + 4 * [True]
    assert services.callers[1].tenant == "whichever"
