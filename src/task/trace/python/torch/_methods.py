"""Attach the operators to Tensor: methods, their in-place forms (`add_`), Python's operators and copies."""

from . import _contract, _create, _indexing, _pointwise as pw, _reduce, _views as v
from ._dtypes import bool_, dtype as dtype_type, float64, float32, float16, bfloat16, int64, int32, int16, int8, uint8
from ._layout import contiguous_format, preserve_format, row_major
from ._record import recorder, unsupported
from ._tensor import Tensor, alias, device as device_type, emit, wanted_strides, wrap

METHODS = {
    **pw.UNARY,
    **{alias_: pw.UNARY[op] for alias_, op in pw.UNARY_ALIASES.items()},
    **pw.COMPARISON_FUNCTIONS,
    'round': pw.round_, 'pow': pw.pow_, 'positive': pw.positive, 'square': pw.square, 'deg2rad': pw.deg2rad, 'rad2deg': pw.rad2deg,
    'any': _reduce.any_, 'all': _reduce.all_,
}  # fmt: skip
for module, names in (
    (pw, 'isnan isinf isfinite logical_not bitwise_not mul minimum maximum atan2 remainder fmod add sub div true_divide floor_divide logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift masked_fill clamp clamp_min clamp_max lerp addcmul addcdiv nan_to_num logaddexp sinc heaviside xlogy relu selu celu prelu hardshrink'),
    (_reduce, 'sum nansum mean prod logsumexp amax amin aminmax max min argmax argmin var std norm count_nonzero dist softmax log_softmax cumsum cumprod logcumsumexp cummax cummin sort argsort topk median diff'),
    (v, 'reshape view view_as reshape_as flatten ravel unflatten squeeze unsqueeze permute transpose t movedim expand expand_as broadcast_to select narrow split chunk tensor_split unbind repeat tile repeat_interleave tril triu diag_embed diagonal diag flip fliplr flipud rot90 roll gather scatter scatter_add index_select unfold'),
    (_contract, 'matmul mm bmm mv dot outer addmm addmv baddbmm addbmm addr'),
    (_create, 'new_zeros new_ones new_empty new_full new_tensor bernoulli uniform_ normal_ random_ bernoulli_ fill_ zero_'),
):  # fmt: skip
    for name in names.split():
        METHODS[name] = getattr(module, name)
METHODS |= {
    'multiply': pw.mul, 'divide': pw.div, 'subtract': pw.sub, 'swapaxes': v.transpose, 'swapdims': v.transpose, 'moveaxis': v.movedim,
    'clip': pw.clamp, 'inner': _contract.dot, 'ger': _contract.outer, 'absolute': pw.UNARY['abs'],
}  # fmt: skip

IN_PLACE = (
    'add sub mul div pow remainder fmod floor_divide true_divide clamp clamp_min clamp_max masked_fill lerp addcmul addcdiv addmm baddbmm relu tril triu '
    'neg abs sign floor ceil round trunc frac exp exp2 expm1 log log2 log10 log1p sqrt rsqrt reciprocal sin cos tan tanh sigmoid erf square '
    'eq ne lt le gt ge logical_and logical_or logical_not logical_xor scatter scatter_add cumsum cumprod nan_to_num multiply divide subtract clip '
    'bitwise_and bitwise_or bitwise_xor bitwise_not'
).split()


def in_place(x, result, name):
    """Write the result of an operator into its first operand: shape must be equal, the type must not lose its category."""
    if tuple(result.shape) != tuple(x.shape):
        raise RuntimeError(f"output with shape {list(x.shape)} doesn't match the broadcast shape {list(result.shape)}")
    if result.dtype is not x.dtype:
        comparison = result.dtype is bool_
        if result.dtype.category > x.dtype.category and not comparison:
            raise RuntimeError(f"result type {result.dtype!r} can't be cast to the desired output type {x.dtype!r}")
        result = pw.cast(result, x.dtype)
    return x._write(result)


def _in_place_form(name, f):
    def method(self, *args, **kw):
        return in_place(self, f(self, *args, **kw), name)

    method.__name__ = name + '_'
    return method


def clone(input, *, memory_format=None):
    if recorder().copies:
        strides = wanted_strides(memory_format, input.shape, input._strides) or row_major(input.shape)
        return emit('clone', [input], {}, (tuple(input.shape), input.dtype), strides=strides, known=input._known)
    return wrap(input._id(), input.shape, input.dtype, None, input._known)


def contiguous(input, memory_format=contiguous_format):
    if not recorder().copies:
        memory_format = contiguous_format
    return input if input.is_contiguous(memory_format) else clone(input, memory_format=memory_format)


def detach(input):
    if input.is_floating_point():
        recorder().stop('detach')
    return alias(input, None, None, tuple(input.shape), input._strides, lambda parent, new: new)


def copy_(self, src, non_blocking=False):
    return self._write(v.expand(pw.cast(src, self.dtype), self.shape))


def to(self, *args, **kw):
    """Devices are ignored; a dtype (also that of another tensor) casts."""
    target = kw.get('dtype')
    wanted = kw.get('memory_format')
    for a in args:
        if isinstance(a, (dtype_type, type)):
            target = a
        elif isinstance(a, Tensor):
            target = a.dtype
        elif not isinstance(a, (str, int, device_type, bool)) and a is not None:
            raise TypeError(f'to() received an invalid argument: {a!r}')
    made = self if target is None else pw.cast(self, target)
    if wanted in (None, preserve_format) or not recorder().copies:
        return made
    return contiguous(made, wanted)


def type_(self, dtype=None):
    if dtype is None:
        return (
            f'torch.cuda.{ {"float32": "Float", "int64": "Long"}.get(self.dtype.name, self.dtype.name.title()) }Tensor'
        )
    if isinstance(dtype, str):
        raise unsupported('Tensor.type(string)')
    return pw.cast(self, dtype)


def type_as(self, other):
    return pw.cast(self, other.dtype)


def where_method(self, condition, other):
    return pw.where(condition, self, other)


def masked_scatter(self, *args):
    raise unsupported('Tensor.masked_scatter')


def same(self, *args, **kw):
    return self


def numpy(self, *args, **kw):
    raise unsupported('Tensor.numpy', 'a traced tensor has no values')


def index_put_(self, *args, **kw):
    raise unsupported('Tensor.index_put_')


class _Hook:
    """A hook on a gradient: in a judged call there is none."""

    def remove(self):
        return None


def register_hook(self, hook):
    if not recorder().copies:
        raise unsupported('Tensor.register_hook')
    recorder().remark('It hooks into gradients: forward alone is judged, and no gradient is computed.')
    return _Hook()


def _cast_method(d):
    return lambda self, memory_format=None: pw.cast(self, d)


CASTS = {
    'float': float32,
    'double': float64,
    'half': float16,
    'bfloat16': bfloat16,
    'int': int32,
    'long': int64,
    'short': int16,
    'char': int8,
    'byte': uint8,
    'bool': bool_,
}

METHODS |= {name: _cast_method(d) for name, d in CASTS.items()}
METHODS |= {
    'clone': clone, 'contiguous': contiguous, 'detach': detach, 'copy_': copy_, 'to': to, 'type': type_, 'type_as': type_as, 'where': where_method,
    'cuda': same, 'cpu': same, 'pin_memory': same, 'requires_grad_': Tensor.requires_grad_, 'numpy': numpy, 'index_put_': index_put_,
    'register_hook': register_hook, 'masked_scatter': masked_scatter, 'detach_': same, 'retain_grad': same, 'share_memory_': same,
}  # fmt: skip


def _reflected(op):
    return lambda self, other: op(other, self)


def _guarded(op):
    """A dunder: NotImplemented for operands that are neither tensors nor numbers."""

    def f(self, other):
        if isinstance(other, Tensor) or pw._is_number(other):
            return op(self, other)
        return NotImplemented

    return f


def lay_out(t, new):
    """The same values, laid out otherwise: nothing that a call computes, even where it happens in one."""
    rec = recorder()
    t._was.append(t._id())
    rec.relaid.add(rec.origin[new._id()][1])
    t._rebind(new._id(), new._known)
    t._strides = list(new._strides)


def _set_data(self, new):
    """`x.data = new`: x has the other's values and layout from now on."""
    rec = recorder()
    if rec.copies and self._parent is None and tuple(new.shape) == tuple(self.shape) and new.dtype is self.dtype:
        if new._id() == self._id():
            return
        origin = rec.origin[new._id()]
        if origin[0] == 'node' and rec.nodes[origin[1]]['op'] == 'clone' and rec.nodes[origin[1]]['inputs'] == [self._id()]:
            lay_out(self, new)
            return
        if not rec.in_forward:
            self._strides = list(new._strides)
    copy_(self, new)


def attach():
    """Make every operator above a method of Tensor. Called once by torch/__init__."""
    for name, f in METHODS.items():
        if name not in Tensor.__dict__ or name == 'requires_grad_':
            setattr(Tensor, name, f)
    for name in IN_PLACE:
        setattr(Tensor, name + '_', _in_place_form(name, METHODS[name]))
    Tensor.squeeze_ = Tensor.unsqueeze_ = Tensor.transpose_ = Tensor.t_ = Tensor.resize_ = _refused_shape_change
    for name, op in {
        'add': pw.add,
        'sub': pw.sub,
        'mul': pw.mul,
        'truediv': pw.div,
        'floordiv': pw.floor_divide,
        'mod': pw.remainder,
        'pow': pw.pow_,
    }.items():
        setattr(Tensor, f'__{name}__', _guarded(op))
        setattr(Tensor, f'__r{name}__', _guarded(_reflected(op)))
        setattr(Tensor, f'__i{name}__', _in_place_form(name, op))
    for name, op in {
        'and': pw.bitwise_and,
        'or': pw.bitwise_or,
        'xor': pw.bitwise_xor,
        'lshift': pw.bitwise_left_shift,
        'rshift': pw.bitwise_right_shift,
    }.items():
        setattr(Tensor, f'__{name}__', _guarded(op))
        setattr(Tensor, f'__r{name}__', _guarded(_reflected(op)))
        setattr(Tensor, f'__i{name}__', _in_place_form(name, op))
    for name in ('eq', 'ne', 'lt', 'le', 'gt', 'ge'):
        setattr(Tensor, f'__{name}__', _guarded(pw.COMPARISON_FUNCTIONS[name]))
    Tensor.__hash__ = object.__hash__
    Tensor.__matmul__ = _contract.matmul
    Tensor.__rmatmul__ = _reflected(_contract.matmul)
    Tensor.__neg__, Tensor.__abs__, Tensor.__invert__ = pw.UNARY['neg'], pw.UNARY['abs'], pw.bitwise_not
    Tensor.__pos__ = lambda self: self
    Tensor.__getitem__, Tensor.__setitem__ = _indexing.getitem, _indexing.setitem
    Tensor.T = property(lambda self: v.permute(self, list(range(self.ndim))[::-1]))
    Tensor.mT = property(lambda self: v.transpose(self, -2, -1))
    Tensor.data = property(detach, _set_data)


def _refused_shape_change(self, *args, **kw):
    raise unsupported('a method that changes the shape of a tensor in place')
