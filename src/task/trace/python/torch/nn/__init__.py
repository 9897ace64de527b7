"""torch.nn: modules, functional, init."""

import sys as _sys
from types import ModuleType as _ModuleType

from .._record import unsupported as _unsupported
from . import functional, init
from . import layers as _l, recurrent as _r, transformer as _t
from .module import Buffer, Module, ModuleDict, ModuleList, Parameter, ParameterDict, ParameterList, Sequential

for _source in (_l, _r, _t):
    for _name, _value in vars(_source).items():
        if isinstance(_value, type) and issubclass(_value, Module) and not _name.startswith('_'):
            globals()[_name] = _value


def __getattr__(name):
    if name.startswith('__'):
        raise AttributeError(name)
    raise _unsupported(f'torch.nn.{name}')


# The paths by which files also reach these: torch.nn.parameter, torch.nn.modules.
parameter = _ModuleType('torch.nn.parameter')
parameter.Parameter, parameter.Buffer = Parameter, Buffer
modules = _ModuleType('torch.nn.modules')
modules.__dict__.update({k: v for k, v in globals().items() if isinstance(v, type)})
_sys.modules['torch.nn.parameter'], _sys.modules['torch.nn.modules'] = parameter, modules
