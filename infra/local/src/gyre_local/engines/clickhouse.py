"""ClickHouse in process (chdb) behind ClickHouse's own HTTP protocol."""

import sys

from gyre_local.engines.engine import Engine
from gyre_local.probes import HttpProbe
from gyre_local.process import ProcessSpec
from gyre_local.secrets import CLICKHOUSE_PASSWORD, Secret


class ClickHouseEngine(Engine):
    """The endpoint of `gyre_local.clickhouse_endpoint`."""

    name = "clickhouse"

    def spec(self) -> ProcessSpec:
        """See Engine."""
        port = self.ports.clickhouse
        password = Secret.of(self.home, CLICKHOUSE_PASSWORD)
        endpoint = (sys.executable, "-m", "gyre_local.clickhouse_endpoint")
        return ProcessSpec(
            name=self.name,
            argv=(
                *endpoint,
                *("--data", str(self.folder), "--port", str(port)),
                *("--password-file", str(password.path)),
            ),
            probe=HttpProbe(port, "/ping"),
            ports={"clickhouse": port},
            prepare=password.ensure,
            stop_grace=20.0,
        )
