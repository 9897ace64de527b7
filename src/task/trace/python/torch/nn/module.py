"""nn.Module and its containers: parameters, buffers and submodules in registration order."""

from collections import OrderedDict

from .._dtypes import dtype as dtype_type, float64, float32, float16, bfloat16
from .._pointwise import cast
from .._record import line, recorder, unsupported
from .._layout import ChannelsLast
from .._tensor import Tensor, _Made, wrap


class Parameter(Tensor):
    """torch.nn.Parameter."""

    def __new__(cls, data=None, requires_grad=True):
        if isinstance(data, _Made):
            return object.__new__(cls)
        if not isinstance(data, Tensor):
            raise unsupported(f'nn.Parameter of {type(data).__name__}')
        p = wrap(data._id(), data.shape, data.dtype, data._strides, data._known, cls=cls)
        p.requires_grad = requires_grad
        return p

    def __init__(self, data=None, requires_grad=True):
        pass

    def __deepcopy__(self, memo):
        return Parameter(self.clone(), self.requires_grad)


class Buffer(Tensor):
    """torch.nn.Buffer is not traced; use register_buffer."""

    def __new__(cls, *args, **kw):
        raise unsupported('nn.Buffer', 'use register_buffer')


def _hooks(*args, **kw):
    raise unsupported('a hook on a module')


class Module:
    """torch.nn.Module. `_order` keeps parameters and buffers of one module in the order they were registered."""

    def __init__(self, *args, **kw):
        for name in ('_parameters', '_buffers', '_modules'):
            object.__setattr__(self, name, OrderedDict())
        object.__setattr__(self, 'training', True)

    # -- registration ------------------------------------------------------------------------------------------------

    def _check_initialised(self):
        if '_parameters' not in self.__dict__:
            raise AttributeError('cannot assign module before Module.__init__() call')

    def __setattr__(self, name, value):
        if isinstance(value, (Parameter, Module)):
            self._check_initialised()
            for table in (self.__dict__, self._parameters, self._buffers, self._modules):
                if not (isinstance(value, Module) and table is self._modules) and not (
                    isinstance(value, Parameter) and table is self._parameters
                ):
                    table.pop(name, None)
            (self._modules if isinstance(value, Module) else self._parameters)[name] = value
            return
        if '_parameters' in self.__dict__:
            if name in self._parameters:
                if value is not None:
                    raise TypeError(
                        f"cannot assign '{type(value).__name__}' as parameter '{name}' (torch.nn.Parameter or None expected)"
                    )
                self._parameters[name] = None
                return
            if name in self._modules:
                if value is not None:
                    raise TypeError(
                        f"cannot assign '{type(value).__name__}' as child module '{name}' (torch.nn.Module or None expected)"
                    )
                self._modules[name] = None
                return
            if name in self._buffers:
                if value is not None and not isinstance(value, Tensor):
                    raise TypeError(
                        f"cannot assign '{type(value).__name__}' object to buffer '{name}' (torch Tensor or None required)"
                    )
                self._assign_buffer(name, value)
                return
            if recorder().in_forward:
                recorder().kept.append((name, line()))
        object.__setattr__(self, name, value)

    def _assign_buffer(self, name, value):
        if recorder().in_forward and value is not None and recorder().lasts(value._id()):
            recorder().kept.append((name, line()))
        elif recorder().in_forward:
            raise unsupported(
                f'an assignment to the buffer {name} in forward', 'a task must not keep state between calls'
            )
        self._buffers[name] = value

    def __getattr__(self, name):
        for table in ('_parameters', '_buffers', '_modules'):
            entries = self.__dict__.get(table, {})
            if name in entries:
                return entries[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __delattr__(self, name):
        for table in (self._parameters, self._buffers, self._modules):
            if name in table:
                del table[name]
                return
        object.__delattr__(self, name)

    def register_parameter(self, name, param):
        self._check_initialised()
        self.__dict__.pop(name, None)
        self._parameters[name] = param

    def register_buffer(self, name, tensor, persistent=True):
        self._check_initialised()
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{type(tensor).__name__}' object to buffer '{name}' (torch Tensor or None required)"
            )
        self._buffers[name] = tensor

    def add_module(self, name, module):
        self._modules[str(name)] = module

    register_module = add_module

    # -- traversal ---------------------------------------------------------------------------------------------------

    def named_modules(self, memo=None, prefix='', remove_duplicate=True):
        memo = set() if memo is None else memo
        if id(self) in memo:
            return
        memo.add(id(self))
        yield prefix, self
        for name, child in self._modules.items():
            if child is not None:
                yield from child.named_modules(memo, prefix + ('.' if prefix else '') + name, remove_duplicate)

    def modules(self):
        return (m for _, m in self.named_modules())

    def named_children(self):
        return ((n, m) for n, m in self._modules.items() if m is not None)

    def children(self):
        return (m for _, m in self.named_children())

    def _named(self, table, prefix, recurse):
        seen = set()
        for base, module in self.named_modules(prefix=prefix) if recurse else [(prefix, self)]:
            for name, t in getattr(module, table).items():
                if t is not None and id(t) not in seen:
                    seen.add(id(t))
                    yield base + ('.' if base else '') + name, t

    def named_parameters(self, prefix='', recurse=True, remove_duplicate=True):
        return self._named('_parameters', prefix, recurse)

    def parameters(self, recurse=True):
        return (p for _, p in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix='', recurse=True, remove_duplicate=True):
        return self._named('_buffers', prefix, recurse)

    def buffers(self, recurse=True):
        return (b for _, b in self.named_buffers(recurse=recurse))

    def state_dict(self, *args, **kw):
        return OrderedDict([*self.named_parameters(), *self.named_buffers()])

    def load_state_dict(self, *args, **kw):
        raise unsupported('Module.load_state_dict')

    def get_submodule(self, target):
        module = self
        for name in target.split('.') if target else []:
            module = getattr(module, name)
        return module

    # -- modes and types ---------------------------------------------------------------------------------------------

    def train(self, mode=True):
        for m in self.modules():
            object.__setattr__(m, 'training', mode)
        return self

    def eval(self):
        return self.train(False)

    def requires_grad_(self, requires_grad=True):
        for p in self.parameters():
            p.requires_grad = requires_grad
        return self

    def apply(self, fn):
        for m in self.children():
            m.apply(fn)
        fn(self)
        return self

    def _cast(self, d):
        """As PyTorch does it: parameters in place, so that what else names them sees it; buffers anew."""
        for m in self.modules():
            for t in m._parameters.values():
                if t is not None and t.dtype.is_floating_point and t.dtype is not d:
                    t._rebind(cast(t, d)._id())
                    t.dtype = d
            for name, t in list(m._buffers.items()):
                if t is not None and t.dtype.is_floating_point:
                    m._buffers[name] = cast(t, d)
        return self

    def _lay_out(self, wanted):
        for t in (t for table in (self.parameters(), self.buffers()) for t in table):
            if t.ndim == wanted.rank:
                t.data = t.data.contiguous(memory_format=wanted)

    def to(self, *args, **kw):
        wanted = kw.get('memory_format')
        if isinstance(wanted, ChannelsLast) and recorder().copies:
            self._lay_out(wanted)
        for a in [*args, *kw.values()]:
            if isinstance(a, dtype_type):
                self._cast(a)
        return self

    def _same(self, *args, **kw):
        return self

    cuda = cpu = share_memory = compile = _same

    def float(self):
        return self._cast(float32)

    def double(self):
        return self._cast(float64)

    def half(self):
        return self._cast(float16)

    def bfloat16(self):
        return self._cast(bfloat16)

    def zero_grad(self, set_to_none=True):
        return None

    register_forward_hook = register_forward_pre_hook = register_full_backward_hook = register_backward_hook = _hooks

    # -- calling -----------------------------------------------------------------------------------------------------

    def forward(self, *args, **kw):
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __call__(self, *args, **kw):
        self._check_initialised()
        return self.forward(*args, **kw)

    def extra_repr(self):
        return ''

    def _get_name(self):
        return type(self).__name__

    def __repr__(self):
        return f'{type(self).__name__}()'

    def __dir__(self):
        return [*object.__dir__(self), *self._parameters, *self._buffers, *self._modules]


class Sequential(Module):
    def __init__(self, *args):
        super().__init__()
        named = (
            args[0].items()
            if len(args) == 1 and isinstance(args[0], dict)
            else ((str(i), m) for i, m in enumerate(args))
        )
        for name, m in named:
            if not isinstance(m, Module):
                raise TypeError(f'{type(m).__name__} is not a Module subclass')
            self.add_module(name, m)

    def forward(self, input):
        for m in self._modules.values():
            input = m(input)
        return input

    def append(self, module):
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules):
        for m in modules:
            self.append(m)
        return self

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules.values())

    def __getitem__(self, i):
        items = list(self._modules.items())
        return Sequential(OrderedDict(items[i])) if isinstance(i, slice) else items[i][1]


class ModuleList(Module):
    def __init__(self, modules=None):
        super().__init__()
        self.extend(modules or [])

    def append(self, module):
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules):
        for m in modules:
            self.append(m)
        return self

    def insert(self, index, module):
        items = list(self._modules.values())
        items.insert(index, module)
        self._modules.clear()
        return self.extend(items)

    __iadd__ = extend

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules.values())

    def __getitem__(self, i):
        items = list(self._modules.values())
        return ModuleList(items[i]) if isinstance(i, slice) else items[i]

    def __setitem__(self, i, module):
        self._modules[list(self._modules)[i]] = module


class ModuleDict(Module):
    def __init__(self, modules=None):
        super().__init__()
        self.update(modules or {})

    def update(self, modules):
        for name, m in modules.items() if isinstance(modules, (dict, ModuleDict)) else modules:
            self.add_module(name, m)

    def __getitem__(self, key):
        return self._modules[key]

    def __setitem__(self, key, module):
        self.add_module(key, module)

    def __contains__(self, key):
        return key in self._modules

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules)

    def keys(self):
        return self._modules.keys()

    def values(self):
        return self._modules.values()

    def items(self):
        return self._modules.items()


class ParameterList(Module):
    def __init__(self, values=None):
        super().__init__()
        self.extend(values or [])

    def append(self, value):
        self._parameters[str(len(self))] = value if isinstance(value, Parameter) else Parameter(value)
        return self

    def extend(self, values):
        for v in values:
            self.append(v)
        return self

    def __len__(self):
        return len(self._parameters)

    def __iter__(self):
        return iter(self._parameters.values())

    def __getitem__(self, i):
        items = list(self._parameters.values())
        return ParameterList(items[i]) if isinstance(i, slice) else items[i]


class ParameterDict(Module):
    def __init__(self, parameters=None):
        super().__init__()
        for name, p in (parameters or {}).items():
            self[name] = p

    def __getitem__(self, key):
        return self._parameters[key]

    def __setitem__(self, key, value):
        self._parameters[key] = value if isinstance(value, Parameter) else Parameter(value)

    def __contains__(self, key):
        return key in self._parameters

    def keys(self):
        return self._parameters.keys()

    def values(self):
        return self._parameters.values()

    def items(self):
        return self._parameters.items()
