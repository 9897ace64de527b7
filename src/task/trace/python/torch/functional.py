"""torch.functional: the functions of torch that PyTorch keeps in a module of this name."""

from ._contract import chain_matmul, einsum, tensordot
from ._reduce import cdist, norm
from ._views import broadcast_tensors, meshgrid, split
