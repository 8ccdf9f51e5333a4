"""The phases of a run, each a process of its own: `python -m gyre_trainer.phases PHASE --run DIR`.

A phase reads and writes files in the run's folder, and its result appears there only once it is
whole; so one that was killed is simply run again.
"""
