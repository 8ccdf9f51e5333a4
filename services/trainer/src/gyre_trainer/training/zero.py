"""What DeepSpeed is told of ZeRO (Rajbhandari et al. 2020, arXiv:1910.02054)."""

from collections.abc import Sequence

from torch import Tensor

_LARGEST_BUCKET = 500_000_000


def zero_settings(stage: int, learning: Sequence[Tensor]) -> dict[str, int]:
    """Buckets that hold what learns, and no more than DeepSpeed's own: of these each takes 2 GB in
    single precision, however small the model
    (https://www.deepspeed.ai/docs/config-json/#zero-optimizations-for-fp16-training).
    """
    bucket = min(sum(each.numel() for each in learning), _LARGEST_BUCKET)
    return {"stage": stage, "reduce_bucket_size": bucket, "allgather_bucket_size": bucket}
