"""Answer latency over whatever is indexed, one question at a time, and where the time goes.

    python -m bench.system.answers [--port-offset N] [--tenant default] [--questions 144]

The floor is a call that does no work: the health check of the same server over the same channel.
"""

import argparse
import asyncio
import time
from collections import Counter

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from gyre.generator.v1 import generator_pb2, generator_pb2_grpc

from bench.report import machine, percentile, spread, table
from bench.system.corpora import glossary_questions


async def run(address: str, tenant: str, questions: list[str]) -> None:
    """Prints the spread of the latency and the median by stage."""
    async with grpc.aio.insecure_channel(address) as channel:
        generator = generator_pb2_grpc.GeneratorServiceStub(channel)
        health = health_pb2_grpc.HealthStub(channel)
        metadata = (("gyre-tenant", tenant),)
        for question in questions[:5]:
            await generator.Answer(
                generator_pb2.AnswerRequest(question=question), metadata=metadata
            )
        latencies: list[float] = []
        floor: list[float] = []
        stages: dict[str, list[float]] = {}
        outcomes: Counter[str] = Counter()
        for question in questions:
            started = time.monotonic()
            await health.Check(health_pb2.HealthCheckRequest())
            floor.append((time.monotonic() - started) * 1000)
            started = time.monotonic()
            reply = await generator.Answer(
                generator_pb2.AnswerRequest(question=question), metadata=metadata, timeout=30
            )
            latencies.append((time.monotonic() - started) * 1000)
            outcomes[generator_pb2.Outcome.Name(reply.outcome)] += 1
            for stage, ms in reply.latency_ms.items():
                stages.setdefault(stage, []).append(ms)
    print(machine())
    print("Answer, 1 in flight: " + spread(latencies))
    print("floor (health check): " + spread(floor, digits=1))
    print("outcomes: " + ", ".join(f"{name} {count}" for name, count in outcomes.most_common()))
    print(
        table(
            ("stage", "p50 ms", "p95 ms"),
            [
                (stage, f"{percentile(ms, 0.5):.1f}", f"{percentile(ms, 0.95):.1f}")
                for stage, ms in sorted(stages.items(), key=lambda item: -percentile(item[1], 0.5))
            ],
        )
    )


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port-offset", type=int, default=0)
    parser.add_argument("--tenant", default="default")
    parser.add_argument("--questions", type=int, default=144)
    options = parser.parse_args()
    questions = list(glossary_questions().values())[: options.questions]
    asyncio.run(run(f"127.0.0.1:{50054 + options.port_offset}", options.tenant, questions))


if __name__ == "__main__":
    main()
