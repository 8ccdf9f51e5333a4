"""Wires the judge to Kafka, the releases, gRPC, the store and ONNX Runtime."""

from gyre_common.app import App, Enter, run
from gyre_common.bus import Bus
from gyre_common.events.releases import Roles
from gyre_common.model_folders import ModelFolders
from gyre_common.releases.following import open_releases
from gyre_common.store import Store

from gyre_judge.handlers import build_handlers
from gyre_judge.onnx_reward import OnnxRewards
from gyre_judge.rewards import Rewards
from gyre_judge.rpc import JudgeRpc
from gyre_judge.service import Judge
from gyre_judge.settings import JudgeSettings


async def create_app(settings: JudgeSettings, enter: Enter) -> App:
    """The judge, consuming."""
    releases = await enter(open_releases(settings.kafka_servers, required=[Roles.JUDGE]))
    bus = Bus(settings.kafka_servers, service=settings.service, replica=settings.replica)
    folders = ModelFolders(Store(settings.store_url), settings.model_cache)
    models = OnnxRewards(folders, threads=settings.reward_threads)
    rewards = await enter(
        Rewards(models, releases, most_bytes=settings.reward_memory_mb * 1_000_000)
    )
    judge = Judge(releases, bus, rewards)
    build_handlers(bus, judge)
    await enter(bus)
    return App(rpc=[JudgeRpc(judge)], bus=bus, tasks=[rewards.follow_releases])


def main() -> None:
    """Run until told to stop."""
    run(JudgeSettings, create_app)


if __name__ == "__main__":
    main()
