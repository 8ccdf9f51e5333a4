"""What recipes share: how a training is started, checkpointed, stopped, and how sure a gain is."""
