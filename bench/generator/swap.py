"""Language models are promoted and rolled back under load: failed calls, latency, memory, time.

    python -m bench.generator.swap --home FOLDER --tenant NAME --versions A B [--port-offset N]
        [--swaps 6] [--in-flight 2]

Needs a running system with the Kubernetes pages of `bench.system.bulk` in the tenant, data, and two
registered versions of the generator that the local engine serves (`bench.generator.training` and
`bench.generator.thumbs` register some). Questions of the glossary are asked without a break while
both become live in turns; every third step is a rollback. In the end the reader is live again.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Awaitable
from itertools import cycle
from pathlib import Path
from typing import Any

from gyre.generator.v1 import generator_pb2
from gyre.generator.v1.generator_pb2_grpc import GeneratorServiceStub
from gyre.releases.v1.releases_pb2_grpc import ReleaseServiceStub
from gyre_common.context import RequestContext, use_context
from gyre_common.errors import GyreError
from gyre_common.events.releases import Roles
from gyre_common.releases.builtin import GENERATOR_VERSION
from gyre_common.rpc import call, channel
from gyre_local.ports import Ports

from bench.system.corpora import glossary_questions
from bench.system.swapping import Calls, MemorySamples, keep_asking, report, swap
from tests.system import System

CALM = 30.0
"""Seconds of load before the first change and after the last one."""
_BETWEEN = 5.0
_PATIENCE = 120.0


def main() -> int:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, default=Path(os.environ.get("GYRE_HOME", ".gyre")))
    parser.add_argument("--port-offset", type=int, default=0)
    parser.add_argument("--tenant", default="default")
    parser.add_argument("--versions", nargs=2, required=True)
    parser.add_argument("--swaps", type=int, default=6)
    parser.add_argument("--in-flight", type=int, default=2)
    options = parser.parse_args()
    system = System(options.home.absolute(), Ports(options.port_offset))
    return 1 if asyncio.run(run(system, options)) else 0


async def run(system: System, options: argparse.Namespace) -> int:
    """Prints the report; returns how many calls failed."""
    calls, memory = Calls(), MemorySamples()
    questions = cycle(glossary_questions())
    address = f"127.0.0.1:{system.ports.grpc('generator')}"
    address_of_releases = f"127.0.0.1:{system.ports.grpc('releases')}"
    with use_context(RequestContext(tenant=options.tenant)):
        async with (
            channel(address) as generator_channel,
            channel(address_of_releases) as releases_channel,
        ):
            generator, releases = (
                GeneratorServiceStub(generator_channel),
                ReleaseServiceStub(releases_channel),
            )

            def answer() -> Awaitable[Any]:
                request = generator_pb2.AnswerRequest(question=next(questions))
                return call(generator.Answer, request, timeout=120)

            async def make_live(version: str | None) -> Any:
                role = Roles.GENERATOR
                try:
                    return await swap(releases, role, version, [calls], patience=_PATIENCE)
                except GyreError as error:
                    raise SystemExit(f"error: {error}") from error

            async with asyncio.TaskGroup() as group:
                asking = [
                    group.create_task(keep_asking(answer, calls, Roles.GENERATOR, pause=0))
                    for _ in range(options.in_flight)
                ]
                first = await make_live(options.versions[0])
                print(f"from the reader: {first.serving - first.began:.1f} s until served")
                engine = system.process("language-model").identity
                assert engine is not None
                watching = group.create_task(memory.watch({"language-model": engine.pid}))
                began = time.monotonic()
                await asyncio.sleep(CALM)
                one, other = options.versions
                turns, done_swaps = cycle([other, one, None]), []
                for _ in range(options.swaps):
                    done_swaps.append(await make_live(next(turns)))
                    await asyncio.sleep(_BETWEEN)
                ended = time.monotonic()
                await asyncio.sleep(CALM)
                watching.cancel()
                await make_live(GENERATOR_VERSION)
                for task in asking:
                    task.cancel()
    report({"Answer": calls}, done_swaps, memory, (began, ended), calm=CALM)
    return len(calls.failed)


if __name__ == "__main__":
    sys.exit(main())
