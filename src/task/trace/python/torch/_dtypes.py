"""Element types and PyTorch's type promotion."""


class dtype:
    """One element type. `category` orders promotion: 0 bool, 1 integer, 2 floating."""

    def __init__(self, name, category, size):
        self.name, self.category, self.itemsize = name, category, size

    @property
    def is_floating_point(self):
        return self.category == 2

    @property
    def is_complex(self):
        return False

    @property
    def is_signed(self):
        return self.name not in ('bool', 'uint8')

    def __repr__(self):
        return 'torch.' + self.name

    def __reduce__(self):
        return self.name


float64 = double = dtype('float64', 2, 8)
float32 = float_ = dtype('float32', 2, 4)
float16 = half = dtype('float16', 2, 2)
bfloat16 = dtype('bfloat16', 2, 2)
int64 = long = dtype('int64', 1, 8)
int32 = int_ = dtype('int32', 1, 4)
int16 = short = dtype('int16', 1, 2)
int8 = dtype('int8', 1, 1)
uint8 = dtype('uint8', 1, 1)
bool_ = dtype('bool', 0, 1)

ALL = {d.name: d for d in (float64, float32, float16, bfloat16, int64, int32, int16, int8, uint8, bool_)}

_PYTHON = {bool: bool_, int: int64, float: float64}


def resolve(d):
    """A dtype argument: a torch.dtype, or Python's bool, int and float, which PyTorch takes too."""
    if isinstance(d, dtype):
        return d
    if isinstance(d, type) and d in _PYTHON:
        return _PYTHON[d]
    raise TypeError(f'expected a torch.dtype, got {d!r}')


_default = [float32]


def get_default_dtype():
    return _default[0]


def set_default_dtype(d):
    if not isinstance(d, dtype) or not d.is_floating_point:
        raise TypeError('only floating-point types are supported as the default type')
    _default[0] = d


def promote_types(type1, type2):
    """The smallest type that both convert to, as torch.promote_types."""
    a, b = type1, type2
    if a is b:
        return a
    if a.category != b.category:
        return a if a.category > b.category else b
    if a.category == 2:
        return float32 if {a, b} == {float16, bfloat16} else max(a, b, key=lambda d: d.itemsize)
    if uint8 in (a, b) and int8 in (a, b):
        return int16
    return max(a, b, key=lambda d: (d.itemsize, d.is_signed))


def of_scalar(value):
    """The type a Python number has in promotion."""
    if isinstance(value, bool):
        return bool_
    return int64 if isinstance(value, int) else get_default_dtype()


def _combine(higher, lower):
    if higher is None:
        return lower
    if lower is None or higher.category == 2:
        return higher
    if higher is bool_ or lower.category == 2:
        return promote_types(higher, lower)
    return higher


def result_type(operands):
    """ATen's rule: tensors with dimensions outrank zero-dimensional ones, which outrank Python numbers, within a category."""
    ranks = [None, None, None]
    for x in operands:
        if hasattr(x, 'dtype') and hasattr(x, 'shape'):
            rank, d = (0 if len(x.shape) else 1), x.dtype
        else:
            rank, d = 2, of_scalar(x)
        ranks[rank] = d if ranks[rank] is None else promote_types(ranks[rank], d)
    return _combine(ranks[0], _combine(ranks[1], ranks[2]))


class finfo:
    """torch.finfo for the floating types."""

    _table = {
        'float64': (2.0**-52, 1.7976931348623157e308, 2.2250738585072014e-308),
        'float32': (2.0**-23, 3.4028234663852886e38, 2.0**-126),
        'float16': (2.0**-10, 65504.0, 2.0**-14),
        'bfloat16': (2.0**-7, 3.3895313892515355e38, 2.0**-126),
    }

    def __init__(self, type=None):
        d = type or get_default_dtype()
        if d.name not in self._table:
            raise TypeError(f'torch.finfo() requires a floating point input type. Use torch.iinfo to handle {d!r}')
        self.eps, self.max, self.tiny = self._table[d.name]
        self.min, self.smallest_normal, self.dtype, self.bits = -self.max, self.tiny, d.name, d.itemsize * 8
        self.resolution = {8: 1e-15, 4: 1e-6}.get(d.itemsize, 1e-3 if d is float16 else 1e-2)


class iinfo:
    """torch.iinfo for the integer types."""

    def __init__(self, type):
        if type.category != 1:
            raise TypeError(f'torch.iinfo() requires an integer input type, got {type!r}')
        self.bits, self.dtype = type.itemsize * 8, type.name
        self.min = -(2 ** (self.bits - 1)) if type.is_signed else 0
        self.max = 2 ** (self.bits - (1 if type.is_signed else 0)) - 1
