"""What writes answers: one port, one file a kind."""

from gyre_generator.backends.port import Backend, Claim, Delta, Draft, Piece, Prompted, Task

__all__ = ["Backend", "Claim", "Delta", "Draft", "Piece", "Prompted", "Task"]
