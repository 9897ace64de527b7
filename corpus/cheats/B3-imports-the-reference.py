# task: row_sum
# expect: unjudgeable import
# Takes the reference from the harness beside it.
import torch
import torch.nn as nn
from row_sum import Model


class ModelNew(Model):
    pass
