"""Where a training stands, and what each step adds to it."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class StepReport:
    """What a worker reports of its part of a step, or the sum over all workers."""

    loss: float
    tokens: int
    cpu_seconds: float
    stop: bool


@dataclass
class Position:
    """Where a training stands: steps done, what they cost, the loss of each."""

    step: int = 0
    tokens: int = 0
    cpu_seconds: float = 0.0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)

    def add(self, report: StepReport, seconds: float) -> None:
        """One more step is done."""
        self.step += 1
        self.tokens += report.tokens
        self.cpu_seconds += report.cpu_seconds
        self.seconds += seconds
        self.losses.append(report.loss)
