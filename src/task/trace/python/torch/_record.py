"""The recorder: every tensor made while a task file runs is a value here, every operator applied is a node.

One recorder serves one trace (`reset` before each). Nothing is computed: a value is a shape, a type and where it came from.
"""

import sys

TASK_FILE = '<task>'
"""The name under which task files are compiled; frames with it are lines of the task."""


# Names that submissions ask for and PyTorch does not have: asking is an AttributeError, as it is there.
ABSENT = frozenset(
    'torch.Tensor.new_with_shared_memory torch.cuda.compile torch.cuda.CUDAKernel torch._C._jit_compile_cuda torch._C._jit_cuda_compile'.split()
)


class Unsupported(NotImplementedError, AttributeError):
    """Something PyTorch can do and this tracer cannot. An AttributeError too, so that hasattr() is false."""


class Recorder:
    """Values (dense ids), what produced each, and nodes in execution order."""

    def __init__(self):
        self.specs = []  # id -> (shape tuple, dtype)
        self.origin = []  # id -> ('draw', draw dict) | ('node', node index, output index) | ('argument',)
        self.nodes = []
        self.unsupported = None  # the first Unsupported raised, even if the file caught it: (message, line)
        self.in_forward = False
        self.copies = False  # a copy is a node of its own: in submissions, where a kernel may write the memory of one and not of the other
        self.kept = []  # attributes of modules that forward set: (name, line)
        self.calls = []  # of extensions' functions in forward: {at, described, given, results}, all by value id
        self.inputs = set()  # values that are inputs of a submission's calls
        self.strides = {}  # of a submission's values that are not laid out row-major
        self.relaid = set()  # nodes that lay out a parameter otherwise
        self.remarks = []  # what has no effect here: (sentence, line)
        self.traced = 0  # calls under way of functions that torch.jit.trace returned
        self.stops = None  # the first thing that stops or replaces gradients in forward: (what, line)

    def _value(self, shape, dtype, origin):
        self.specs.append((tuple(shape), dtype))
        self.origin.append(origin)
        if len(self.specs) > 400_000:
            raise Unsupported(unsupported_message('a graph of more than 400000 values'))
        return len(self.specs) - 1

    def stop(self, what):
        """Something in forward that leaves the values as they are and changes their gradients."""
        if self.in_forward and self.stops is None:
            self.stops = (what, line())

    def remark(self, text):
        """Something that a submission does and that has no effect, or another than it may think."""
        told = (text, line())
        if told not in self.remarks:
            self.remarks.append(told)

    def lasts(self, ident):
        """True for a value that follows from parameters and constants alone: in a submission it may be kept between calls, as it does not change."""
        pending, seen = [ident], set()
        while pending:
            i = pending.pop()
            if i in seen:
                continue
            seen.add(i)
            kind, *rest = self.origin[i]
            if kind == 'node':
                pending += self.nodes[rest[0]]['inputs']
            elif kind == 'extension' or i in self.inputs or (kind == 'draw' and rest[0]['kind'] not in ('constant', 'values', 'range')):
                return False
        return self.copies

    def draw(self, shape, dtype, draw):
        """A leaf: a tensor drawn or filled."""
        return self._value(shape, dtype, ('draw', draw))

    def argument(self, shape, dtype):
        """An input or parameter of the traced function."""
        return self._value(shape, dtype, ('argument',))

    def node(self, op, inputs, attributes, outputs):
        """Record an operator; `outputs` are (shape, dtype). Returns the outputs' ids."""
        index = len(self.nodes)
        ids = [self._value(shape, dtype, ('node', index, k)) for k, (shape, dtype) in enumerate(outputs)]
        self.nodes.append({'op': op, 'inputs': list(inputs), 'attributes': attributes, 'outputs': ids, 'line': line()})
        return ids


_current = [Recorder()]


def recorder():
    return _current[0]


def reset():
    _current[0] = Recorder()
    return _current[0]


def line():
    """Line of the task file being executed, 0 when none is on the stack."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename == TASK_FILE:
            return frame.f_lineno
        frame = frame.f_back
    return 0


def unsupported_message(what):
    return f'{what} is not supported by the tracer'


def unsupported(what, hint=''):
    """The exception to raise for `what`; remembered, so that a file that catches it does not trace as something else."""
    message = unsupported_message(what) + (f': {hint}' if hint else '')
    state = recorder()
    if state.unsupported is None:
        state.unsupported = (message, line())
    return Unsupported(message)


def scalar(value):
    """A Python number that stands for one of a tensor's, as JSON: True is 1 there."""
    return plain(int(value) if isinstance(value, bool) else value)


def plain(value):
    """A Python value as JSON: infinities and NaN spelled out, tuples as lists."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if value != value:
            return 'nan'
        if value in (float('inf'), float('-inf')):
            return 'inf' if value > 0 else '-inf'
        return float(value)
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    raise TypeError(f'{type(value).__name__} is not a plain value')
