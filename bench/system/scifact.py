"""SciFact through the running system: nDCG@10 of BM25, dense and fused on the dev claims.

    python -m bench.system.scifact [--port-offset N] [--depth 100]

Abstracts go in by Kafka, claims by Retrieve. Each leg's ranking is read from the scores by stage of
the same replies; a document counts with its best passage. References: 0.676, 0.651, 0.722 (BM25,
all-MiniLM-L6-v2, RRF of both).
"""

import argparse
import asyncio

import grpc
import ir_measures
from gyre.retriever.v1 import retriever_pb2, retriever_pb2_grpc
from ir_measures import R, nDCG

from bench.report import machine, table
from bench.system.corpora import JudgedQuestions, scifact_abstracts, scifact_claims
from bench.system.producer import submitter

REFERENCES = {"bm25": 0.676, "dense": 0.651, "fused": 0.722}
TrecRun = dict[str, dict[str, float]]


async def submit(servers: str, tenant: str) -> None:
    """Submits every abstract and waits until all are searchable."""
    pages = list(scifact_abstracts())
    async with submitter(servers, tenant) as client:
        seconds = await client.submit_all(pages, timeout=1800)
    print(
        f"{len(pages)} abstracts searchable in {seconds:.0f} s ({len(pages) / seconds:.1f}/s), "
        f"{len(client.rejected)} rejected"
    )


async def search(
    address: str, tenant: str, claim_set: JudgedQuestions, depth: int
) -> dict[str, TrecRun]:
    """The ranking of every stage for every claim."""
    runs: dict[str, TrecRun] = {stage: {} for stage in REFERENCES}
    async with grpc.aio.insecure_channel(address) as channel:
        retriever = retriever_pb2_grpc.RetrieverServiceStub(channel)
        for key, question in claim_set.questions.items():
            reply = await retriever.Retrieve(
                retriever_pb2.RetrieveRequest(query=question, limit=depth),
                metadata=(("gyre-tenant", tenant),),
                timeout=30,
            )
            for stage, run in runs.items():
                ranking = run.setdefault(key, {})
                for chunk in reply.chunks:
                    if stage in chunk.scores:
                        score = chunk.scores[stage]
                        ranking[chunk.document_id] = max(
                            score, ranking.get(chunk.document_id, score)
                        )
    return runs


def report(runs: dict[str, TrecRun], claim_set: JudgedQuestions) -> None:
    """Prints nDCG@10 and recall@100 of every stage beside the reference."""
    rows = []
    for stage, run in runs.items():
        measures = ir_measures.calc_aggregate([nDCG @ 10, R @ 100], claim_set.relevant, run)
        rows.append(
            (
                stage,
                f"{measures[nDCG @ 10]:.3f}",
                f"{REFERENCES[stage]:.3f}",
                f"{measures[R @ 100]:.3f}",
            )
        )
    print(table(("stage", "nDCG@10", "reference", "recall@100"), rows))


async def run(offset: int, tenant: str, depth: int, *, index: bool) -> None:
    """Indexes, searches, reports."""
    if index:
        await submit(f"127.0.0.1:{9092 + offset}", tenant)
    claim_set = scifact_claims("dev")
    print(machine(), f"· {len(claim_set.questions)} claims")
    report(await search(f"127.0.0.1:{50053 + offset}", tenant, claim_set, depth), claim_set)


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port-offset", type=int, default=0)
    parser.add_argument("--tenant", default="bench-scifact")
    parser.add_argument("--depth", type=int, default=100)
    parser.add_argument("--indexed", action="store_true", help="the abstracts are in already")
    options = parser.parse_args()
    asyncio.run(run(options.port_offset, options.tenant, options.depth, index=not options.indexed))


if __name__ == "__main__":
    main()
