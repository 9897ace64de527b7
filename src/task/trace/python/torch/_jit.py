"""torch.jit and PyTorch's other switches in submissions: a scripted function is the function, a traced one is it for the shapes of its example."""

from ._record import recorder, unsupported
from ._tensor import Tensor


def _shapes(value):
    """What a trace depends on of its arguments."""
    if isinstance(value, Tensor):
        return tuple(value.shape), value.dtype.name
    if isinstance(value, (list, tuple)):
        return [_shapes(v) for v in value]
    if isinstance(value, dict):
        return {k: _shapes(v) for k, v in value.items()}
    return value


class Traced:
    """What torch.jit.trace returns: its branches are those that the example took, so it is called here for such arguments only."""

    def __init__(self, f, example):
        self._f, self._example = f, _shapes(list(example))

    def __call__(self, *args, **kw):
        if kw or _shapes(list(args)) != self._example:
            raise unsupported(
                'a call of a function traced by torch.jit.trace with other shapes than those of its example',
                'its branches were fixed then; call the function itself',
            )
        rec = recorder()
        rec.traced += 1
        try:
            return self._f(*args)
        finally:
            rec.traced -= 1

    def __getattr__(self, name):
        return getattr(self.__dict__['_f'], name)


def trace(func, example_inputs=None, *args, **kw):
    if example_inputs is None:
        raise unsupported('torch.jit.trace without example_inputs')
    return Traced(func, example_inputs if isinstance(example_inputs, (list, tuple)) else [example_inputs])


def freeze(mod, preserved_attrs=None, optimize_numerics=True):
    if getattr(mod, 'training', False):
        raise RuntimeError('Freezing is currently only implemented for modules in eval mode. Please call .eval() on your module before freezing.')
    return mod


def optimize_for_inference(mod, other_methods=None):
    return freeze(mod)


def is_scripting():
    return False


is_tracing = is_scripting


class optimized_execution:
    def __init__(self, should_optimize):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


NAMES = {
    'trace': trace, 'freeze': freeze, 'optimize_for_inference': optimize_for_inference, 'is_scripting': is_scripting, 'is_tracing': is_tracing,
    'optimized_execution': optimized_execution, 'unused': lambda f: f, 'script_if_tracing': lambda f: f, 'Final': None,
}  # fmt: skip


class Switches:
    """A namespace of settings that choose among PyTorch's own ways to do the same: any may be set and read back."""

    def __init__(self, name):
        self.__dict__.update(__name__=name, _set={})

    def __getattr__(self, name):
        if name.startswith('__'):
            raise AttributeError(name)
        return self._set.setdefault(name, Switches(f'{self.__name__}.{name}'))

    def __setattr__(self, name, value):
        self._set[name] = value

    def __call__(self, *args, **kw):
        return None


# torch._C: what sets the fuser and the profiling executor of TorchScript.
SWITCHES_OF_C = (
    '_jit_set_profiling_mode _jit_set_profiling_executor _jit_override_can_fuse_on_gpu _jit_override_can_fuse_on_cpu _jit_set_texpr_fuser_enabled '
    '_jit_set_nvfuser_enabled _jit_set_bailout_depth _debug_set_autodiff_subgraph_inlining'
).split()
