"""What a submission may ask of the GPU, its streams and its timers.

Properties are those of the GPU that is judged for, never this machine's. There is one stream; events take no time, and what depends on them is
told. In a task file none of this exists: what it computes must not depend on a GPU.
"""

from types import SimpleNamespace

from . import _tensor
from ._record import recorder, unsupported

_facts = [None]


def tell(facts):
    """Once, before a submission: the properties of the GPU that is judged for, by PyTorch's names."""
    _facts[0] = facts


def get_device_properties(device=None):
    return SimpleNamespace(**_facts[0])


def get_device_capability(device=None):
    return _facts[0]['major'], _facts[0]['minor']


def get_device_name(device=None):
    return _facts[0]['name']


def is_bf16_supported(including_emulation=True):
    return _facts[0]['major'] >= 8


def mem_get_info(device=None):
    return _facts[0]['total_memory'], _facts[0]['total_memory']


class _Stream:
    """The one stream there is: waiting for it, or making it wait for itself, changes nothing."""

    cuda_stream = stream_id = device_index = 0

    @property
    def device(self):
        return _tensor.device('cuda', 0)

    def synchronize(self):
        return None

    def query(self):
        return True

    def wait_stream(self, stream):
        return None

    def wait_event(self, event):
        return None

    def record_event(self, event=None):
        return event or Event()

    def __eq__(self, other):
        return isinstance(other, _Stream)

    def __hash__(self):
        return 0


_one = _Stream()


def current_stream(device=None):
    return _one


default_stream = current_stream


def Stream(*args, **kw):
    raise unsupported('torch.cuda.Stream', 'a judged call has one stream; launch on the current one, which is also the fastest for work in order')


class _Nothing:
    """A context without effect: the current stream, the one GPU, a profiler's range."""

    def __init__(self, *args, **kw):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def __call__(self, f):
        return f


def stream(stream):
    return _Nothing()


def set_stream(stream):
    return None


class Event:
    """torch.cuda.Event: recorded and waited for without effect."""

    def __init__(self, enable_timing=False, blocking=False, interprocess=False, external=False):
        pass

    def record(self, stream=None):
        return None

    wait = record

    def synchronize(self):
        return None

    def query(self):
        return True

    def elapsed_time(self, end_event):
        recorder().remark(
            'It times its own work (Event.elapsed_time): here that takes 0 ms. What it chooses by such times is judged as chosen by these.'
        )
        return 0.0


def _graphs(name):
    def refuse(*args, **kw):
        raise unsupported(
            f'torch.cuda.{name}', 'the judge makes a CUDA graph of every candidate by itself: call the work in forward as it is'
        )

    return refuse


# torch.cuda, beyond what a task file has.
NAMES = {
    'get_device_properties': get_device_properties, 'get_device_capability': get_device_capability, 'get_device_name': get_device_name,
    'is_bf16_supported': is_bf16_supported, 'mem_get_info': mem_get_info, 'current_stream': current_stream, 'default_stream': default_stream,
    'Stream': Stream, 'stream': stream, 'set_stream': set_stream, 'StreamContext': stream, 'Event': Event, 'device': _Nothing,
    'device_of': _Nothing, 'init': lambda: None, 'is_initialized': lambda: True, 'ipc_collect': lambda: None,
    'CUDAGraph': _graphs('CUDAGraph'), 'graph': _graphs('graph'), 'make_graphed_callables': _graphs('make_graphed_callables'),
    'graph_pool_handle': _graphs('graph_pool_handle'), 'is_current_stream_capturing': lambda: False,
    'nvtx': SimpleNamespace(range_push=lambda msg: 0, range_pop=lambda: 0, mark=lambda msg: None, range=_Nothing),
}  # fmt: skip
