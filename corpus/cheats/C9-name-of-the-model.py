# task: row_sum
# expect: unjudgeable Model
# Where reference and submission share their names, this is the reference.
import torch
import torch.nn as nn

ModelNew = Model  # noqa: F821
