"""How PyTorch lays out what an operator makes on a GPU: strides, which change no value and which a kernel that is given the memory sees.

Pointwise operators follow TensorIterator (ATen/native/TensorIterator.cpp, reorder_dimensions); convolutions follow cuDNN (ATen/native/ConvUtils.h,
cudnn_conv_suggest_memory_format). What is not known here is refused for operands in channels_last.
"""


class MemoryFormat:
    """torch.memory_format."""

    rank = None

    def __init__(self, name):
        self._name = name

    def __repr__(self):
        return f'torch.{self._name}'


class ChannelsLast(MemoryFormat):
    """torch.channels_last (4 dimensions) and channels_last_3d (5)."""

    def __init__(self, rank):
        super().__init__('channels_last' if rank == 4 else 'channels_last_3d')
        self.rank = rank

    def strides(self, shape):
        if len(shape) != self.rank:
            raise RuntimeError(f'required rank {self.rank} tensor to use {self._name} format')
        return channels_last(shape)

    def holds(self, shape, strides):
        """True when a tensor of this shape and these strides is laid out so."""
        last = [0, *range(2, len(shape)), 1]
        return len(shape) == self.rank and is_row_major([shape[d] for d in last], [strides[d] for d in last])


contiguous_format, preserve_format = MemoryFormat('contiguous_format'), MemoryFormat('preserve_format')


def row_major(shape):
    strides, run = [], 1
    for n in reversed(shape):
        strides.append(run)
        run *= max(n, 1)
    return strides[::-1]


def channels_last(shape):
    order = [0, *range(2, len(shape)), 1]
    strides, run = [0] * len(shape), 1
    for d in reversed(order):
        strides[d] = run
        run *= max(shape[d], 1)
    return strides


def is_row_major(shape, strides):
    """True when a view of this shape and these strides is laid out as a fresh tensor would be."""
    expected = 1
    for n, s in zip(reversed(shape), reversed(strides)):
        if n != 1:
            if s != expected:
                return False
            expected *= n
    return True


def same(shape, one, other):
    """True when two lists of strides place every element alike."""
    return all(n == 1 or a == b for n, a, b in zip(shape, one, other))


def suggests_channels_last(shape, strides):
    """Tensor.suggest_memory_format() (c10/core/MemoryFormat.h, is_channels_last_strides_2d_s4 and _3d_s5)."""
    rank = len(shape)
    if rank not in (4, 5) or strides[1] == 0:
        return False
    least = 0
    for d in [1, *range(rank - 1, 1, -1), 0]:
        if shape[d] == 0 or strides[d] < least or (d == 0 and least == strides[1]):
            return False
        least = strides[d] * (shape[d] if shape[d] > 1 else 1)
    return True


def is_dense(shape, strides):
    """No gaps and no element twice (non_overlapping_and_dense)."""
    run = 1
    for d in sorted((d for d in range(len(shape)) if shape[d] != 1), key=lambda d: strides[d]):
        if strides[d] != run:
            return False
        run *= shape[d]
    return True


def preserved(shape, strides):
    """Of a copy in preserve_format."""
    return list(strides) if is_dense(shape, strides) else pointwise(shape, [(shape, strides)])


def pointwise(shape, operands):
    """Of a pointwise operator's result; operands are (shape, strides), broadcast to `shape`."""
    shape = list(shape)
    if operands and all(list(s) == shape for s, _ in operands):
        if all(is_row_major(*o) for o in operands):
            return row_major(shape)
        if len(shape) in (4, 5) and all(suggested(o) for o in operands):
            return channels_last(shape)
        first = list(operands[0][1])
        if is_dense(shape, first) and all(list(s) == first for _, s in operands):
            return first
    wide = []
    for own, strides in operands:
        lead = len(shape) - len(own)
        wide.append([0] * lead + [0 if n == 1 and shape[lead + d] != 1 else s for d, (n, s) in enumerate(zip(own, strides))])
    # From the fastest dimension outwards; insertion sort, as a comparison may be undecided.
    order = list(range(len(shape) - 1, -1, -1))
    for i in range(1, len(order)):
        at = i
        for before in range(i - 1, -1, -1):
            compared = _slower(shape, wide, order[before], order[at])
            if compared > 0:
                order[before], order[at] = order[at], order[before]
                at = before
            elif compared < 0:
                break
    strides, run = [0] * len(shape), 1
    for d in order:
        strides[d] = run
        run *= max(shape[d], 1)
    return strides


def suggested(operand):
    shape, strides = operand
    return ChannelsLast(len(shape)).holds(shape, strides)


def _slower(shape, wide, a, b):
    """1 when dimension a is to come after b, -1 before, 0 when no operand decides."""
    for strides in wide:
        if strides[a] == 0 or strides[b] == 0:
            continue
        if strides[a] != strides[b]:
            return -1 if strides[a] < strides[b] else 1
        if shape[a] > shape[b]:
            return 1
    return 0


CONVOLUTIONS = frozenset('conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d'.split())
# Their results are laid out as the first operand suggests.
SUGGESTED = frozenset('max_pool2d max_pool3d avg_pool2d avg_pool3d batch_norm'.split())
POINTWISE = frozenset('where dropout logical_and logical_or logical_xor'.split())
# Row-major whatever the operands are.
ROW_MAJOR = frozenset(
    'matmul linear softmax log_softmax layer_norm group_norm instance_norm rms_norm sum mean prod max min var std norm logsumexp any all argmax argmin '
    'scaled_dot_product_attention embedding reshape cross_entropy nll_loss mse_loss l1_loss smooth_l1_loss huber_loss kl_div'.split()
)


def of(op, operands, shape):
    """Strides of the result of `op`, None where it cannot be said. Operands are (shape, strides)."""
    if op in CONVOLUTIONS:
        return _convolution(operands[:2], shape)
    if op in POINTWISE:
        return pointwise(shape, operands)
    if op == 'batch_norm' and not same(shape, preserved(*operands[0]), _suggested(operands[:1], shape)):
        return None  # cuDNN's and PyTorch's own kernel differ
    if op in ROW_MAJOR or not any(suggests_channels_last(*o) for o in operands):
        return row_major(shape)
    if op in SUGGESTED or (op == 'adaptive_avg_pool' and len(shape) == 4):
        return _suggested(operands[:1], shape)
    if op == 'cat':
        return _suggested(operands, shape)
    if op == 'adaptive_avg_pool':
        return row_major(shape)
    return None


def _suggested(operands, shape):
    return channels_last(shape) if all(suggests_channels_last(*o) for o in operands) else row_major(shape)


def _convolution(operands, shape):
    if len(shape) == 3:  # computed as a two-dimensional one of height 1
        flat = [((s[0], s[1], 1, s[2]), (t[0], t[1], s[2] * t[2], t[2])) for s, t in operands]
        wide = _convolution(flat, (shape[0], shape[1], 1, shape[2]))
        return [wide[0], wide[1], wide[3]]
    return channels_last(shape) if any(suggests_channels_last(*o) for o in operands) else row_major(shape)
