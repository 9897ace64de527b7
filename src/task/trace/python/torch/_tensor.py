"""Tensor: a shape, a type and a value id; views know their base, so that writes in place reach every alias.

A view keeps its parent, how to redo itself from the parent's value (`_redo`) and how to put a new value of itself back
into the parent (`_undo`). A write makes a new value and bumps the version; views notice on their next use. The graph
stays pure. Operators live in the other files and are attached as methods in `_methods.py`.
"""

import math

from . import _amp, _constant, _layout
from ._record import ABSENT, recorder, scalar, unsupported


class Size(tuple):
    """torch.Size."""

    def numel(self):
        return math.prod(self)

    def __getitem__(self, key):
        item = tuple.__getitem__(self, key)
        return Size(item) if isinstance(key, slice) else item

    def __add__(self, other):
        return Size(tuple.__add__(self, tuple(other)))

    def __repr__(self):
        return f'torch.Size({list(self)})'


def wanted_strides(memory_format, shape, strides):
    """Strides of a new tensor in this format, like one of these strides. In a task, where no kernel sees them, everything is row-major."""
    if not recorder().copies or memory_format is _layout.contiguous_format:
        return None
    if isinstance(memory_format, _layout.ChannelsLast):
        return memory_format.strides(shape)
    return _layout.preserved(shape, strides)


class device:
    """torch.device: remembered, without effect."""

    def __init__(self, type='cuda', index=None):
        if isinstance(type, device):
            type, index = type.type, type.index
        elif isinstance(type, int):
            type, index = 'cuda', type
        elif ':' in type:
            type, index = type.split(':')[0], int(type.split(':')[1])
        if type not in ('cuda', 'cpu', 'meta'):
            raise unsupported(f'torch.device({type!r})')
        self.type, self.index = type, index

    def __eq__(self, other):
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self):
        return hash((self.type, self.index))

    def __repr__(self):
        return f"device(type='{self.type}'" + (f', index={self.index})' if self.index is not None else ')')

    def __str__(self):
        return self.type + (f':{self.index}' if self.index is not None else '')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


class Tensor:
    """A traced tensor, made by the operators and the creation functions. Tensor(2, 3) is uninitialised memory, as in PyTorch."""

    __hash__ = object.__hash__

    def __new__(cls, *args, **kwargs):
        if args and isinstance(args[0], _Made):
            return object.__new__(cls)
        from . import _create

        if len(args) == 1 and isinstance(args[0], (list, tuple)) and not isinstance(args[0], Size):
            return _create.tensor(args[0], dtype=_create.get_default_dtype())
        return _create.empty(*(args or (0,)))

    def __init__(self, *args, **kwargs):
        if not args or not isinstance(args[0], _Made):
            return
        made = args[0]
        self._value, self.shape, self.dtype = made.value, Size(made.shape), made.dtype
        self._strides = list(made.strides) if made.strides is not None else _constant.strides_of(made.shape)
        self._known = made.known
        self._parent = self._redo = self._undo = None
        self._seen = self._version = 0
        self._was = []  # ids of the same values, laid out otherwise
        self._registered = False  # a parameter or buffer, while forward runs
        self._frozen = None  # why a write in place is refused, or None
        self.requires_grad = False
        self.grad_fn = None
        self.grad = None

    # -- value and aliasing ------------------------------------------------------------------------------------------

    def _id(self):
        """The current value's id, redone from the parent if the parent was written."""
        if self._parent is not None:
            base = self._parent._id()
            if self._parent._version != self._seen:
                self._value, self._known = self._redo(base, self._parent._known)
                self._seen = self._parent._version
                self._version += 1
        return self._value

    def _constant(self):
        """Known values (row-major list) or None."""
        self._id()
        return self._known

    def _write(self, new):
        """Replace the value by that of `new` (same shape and type), here and in every alias."""
        ident, known = new._id(), new._known
        rec = recorder()
        if self._frozen and not (self._registered and rec.lasts(ident)):
            raise unsupported(self._frozen)
        if rec.copies and self._parent is None and not _layout.same(self.shape, self._strides, new._strides):
            new = emit('clone', [new], {}, (tuple(self.shape), self.dtype), strides=self._strides, known=known)
            ident = new._id()
        if self._parent is not None:
            self._parent._write(self._undo(self._parent, new))
            self._seen = self._parent._version
        self._value, self._known = ident, known
        self._version += 1
        return self

    def _rebind(self, ident, known=None):
        """Give this root tensor another value (parameters become arguments when forward starts)."""
        self._parent = self._redo = self._undo = None
        self._value, self._known = ident, known
        self._version += 1

    # -- metadata ----------------------------------------------------------------------------------------------------

    @property
    def ndim(self):
        return len(self.shape)

    def dim(self):
        return len(self.shape)

    ndimension = dim

    def size(self, dim=None):
        return self.shape if dim is None else self.shape[check_dim(dim, self.ndim)]

    def stride(self, dim=None):
        return tuple(self._strides) if dim is None else self._strides[check_dim(dim, self.ndim)]

    def numel(self):
        return math.prod(self.shape)

    nelement = numel

    def element_size(self):
        return self.dtype.itemsize

    @property
    def itemsize(self):
        return self.dtype.itemsize

    @property
    def nbytes(self):
        return self.numel() * self.dtype.itemsize

    def is_floating_point(self):
        return self.dtype.is_floating_point

    def is_complex(self):
        return False

    def is_contiguous(self, memory_format=None):
        if isinstance(memory_format, _layout.ChannelsLast):
            return memory_format.holds(self.shape, self._strides)
        return _layout.is_row_major(self.shape, self._strides)

    @property
    def is_cuda(self):
        return True

    @property
    def device(self):
        return device('cuda', 0)

    def get_device(self):
        return 0

    @property
    def is_leaf(self):
        return True

    def __len__(self):
        if not self.shape:
            raise TypeError('len() of a 0-d tensor')
        return self.shape[0]

    def __repr__(self):
        return f'tensor(shape={list(self.shape)}, dtype={self.dtype!r})'

    def __format__(self, spec):
        return repr(self) if self._constant() is None or self.ndim else format(self.item(), spec)

    # -- Python values: only of constants ----------------------------------------------------------------------------

    def _python(self, what):
        known = self._constant()
        if known is None:
            raise unsupported(
                what,
                "the value of a tensor is not known while tracing, so a task's control flow may depend on shapes only",
            )
        if len(known) != 1:
            raise RuntimeError('a Tensor with %d elements cannot be converted to Scalar' % len(known))
        return known[0]

    def item(self):
        return self._python('.item() on a computed tensor')

    def tolist(self):
        known = self._constant()
        if known is None:
            raise unsupported('.tolist() on a computed tensor')

        def nest(shape, offset):
            if not shape:
                return known[offset]
            run = math.prod(shape[1:])
            return [nest(shape[1:], offset + i * run) for i in range(shape[0])]

        return nest(self.shape, 0)

    def __bool__(self):
        return bool(self._python('a condition (if, while, and, or) on the value of a tensor'))

    def __int__(self):
        return int(self._python('int() of a computed tensor'))

    def __float__(self):
        return float(self._python('float() of a computed tensor'))

    def __index__(self):
        if self.dtype.category == 2:
            raise TypeError('only integer tensors of a single element can be converted to an index')
        return int(self._python('a computed tensor as a Python index'))

    def __contains__(self, item):
        raise unsupported('`in` on a tensor')

    def __iter__(self):
        if not self.shape:
            raise TypeError('iteration over a 0-d tensor')
        return iter([self[i] for i in range(self.shape[0])])

    def __deepcopy__(self, memo):
        return self.clone()

    @staticmethod
    def _make_subclass(cls, *args, **kw):
        raise unsupported(f'{cls.__name__}, a subclass of torch.Tensor', 'it could compute when it is looked at; return plain tensors')

    _make_wrapper_subclass = _make_subclass

    # -- gradients have no part in a forward trace -------------------------------------------------------------------

    def requires_grad_(self, requires_grad=True):
        self.requires_grad = requires_grad
        return self

    def backward(self, *args, **kwargs):
        raise unsupported('Tensor.backward')

    def __getattr__(self, name):
        if name.startswith('__') and name.endswith('__') or f'torch.Tensor.{name}' in ABSENT:
            raise AttributeError(f"'Tensor' object has no attribute '{name}'")
        raise unsupported(f'Tensor.{name}')


class _Made:
    """What a Tensor is made of; only this module constructs it."""

    __slots__ = ('value', 'shape', 'dtype', 'strides', 'known')

    def __init__(self, value, shape, dtype, strides, known):
        self.value, self.shape, self.dtype, self.strides, self.known = value, tuple(shape), dtype, strides, known


def wrap(ident, shape, dtype, strides=None, known=None, cls=Tensor):
    """A Tensor object for a value of the recorder."""
    made = _Made(ident, shape, dtype, strides, known)
    t = cls.__new__(cls, made)
    Tensor.__init__(t, made)
    return t


def drawn(shape, dtype, draw, known=None, strides=None):
    """A leaf tensor. `known`: its values, kept when few."""
    shape = tuple(shape)
    ident = recorder().draw(shape, dtype, draw)
    _laid_out(ident, shape, strides)
    return wrap(ident, shape, dtype, strides, known)


def constant(value, dtype):
    """A Python number as a tensor without dimensions."""
    known = _constant.rounded([value], dtype)
    return drawn((), dtype, {'kind': 'constant', 'value': scalar(value if dtype.category == 2 else known[0])}, known)


def _laid_out(ident, shape, strides):
    """Notes the strides of a submission's value where they are not what a fresh tensor has."""
    rec = recorder()
    if rec.copies and strides is not None and not _layout.is_row_major(shape, strides):
        rec.strides[ident] = list(strides)


def emit(op, inputs, attributes, *outputs, strides=None, known=None):
    """Record an operator on tensors; outputs are (shape, dtype). Returns a Tensor, or a tuple of them."""
    rec = recorder()
    if rec.copies:
        lowered, outputs = _amp.operands(op, inputs, outputs)
        known = known if lowered is inputs else None
        inputs = lowered
        if strides is None and len(outputs) == 1:
            strides = _layout.of(op, [(t.shape, t._strides) for t in inputs], outputs[0][0])
            if strides is None:
                raise unsupported(
                    f'the memory layout of the result of {op} for operands in channels_last',
                    'call .contiguous() on them first',
                )
    ids = rec.node(op, [t._id() for t in inputs], attributes, list(outputs))
    if rec.copies and len(outputs) == 1:
        _laid_out(ids[0], outputs[0][0], strides)
    made = [wrap(i, shape, d, strides, known) for i, (shape, d) in zip(ids, outputs)]
    return made[0] if len(made) == 1 else tuple(made)


def alias(parent, op, attributes, shape, strides, undo):
    """A view of `parent` by a view operator (op None: the same value). `undo(parent, new)` is the parent with the view replaced."""

    def redo(base, known):
        if op is None:
            return base, known
        return (
            recorder().node(op, [base], attributes, [(shape, parent.dtype)])[0],
            _constant.view(op, attributes, known, parent.shape, shape),
        )

    ident, known = redo(parent._id(), parent._known)
    t = wrap(ident, shape, parent.dtype, strides, known)
    t._parent, t._redo, t._undo, t._seen = parent, redo, undo, parent._version
    t.requires_grad = parent.requires_grad
    return t


def check_dim(dim, ndim, what='Dimension'):
    """A dimension made non-negative, or PyTorch's IndexError."""
    dim = int(dim)
    limit = max(ndim, 1)
    if not -limit <= dim < limit:
        raise IndexError(f'{what} out of range (expected to be in range of [{-limit}, {limit - 1}], but got {dim})')
    return dim % limit
