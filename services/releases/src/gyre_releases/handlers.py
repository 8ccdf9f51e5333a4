"""The Kafka edge: verdicts come in."""

from gyre_common.bus import EventBus
from gyre_common.errors import FailedPrecondition, InvalidInput, Poison, Retryable
from gyre_common.events.releases import RELEASE_CHANGED
from gyre_common.events.training import TRAINING_FINISHED, TrainingFinished

from gyre_releases.kafka_log import Superseded
from gyre_releases.service import ReleaseController

GROUP = "releases"


def build_handlers(bus: EventBus, controller: ReleaseController, *, group: str = GROUP) -> None:
    """Let the controller hear of runs that were judged."""
    bus.publishes(RELEASE_CHANGED)

    @bus.on(TRAINING_FINISHED, group=group)
    async def on_training_finished(event: TrainingFinished) -> None:
        try:
            await controller.apply_verdict(event)
        except Superseded as error:
            raise Retryable(str(error)) from error  # the one that took over applies it
        except (InvalidInput, FailedPrecondition) as error:
            raise Poison(f"the verdict of run {event.run_id} cannot be applied: {error}") from error
