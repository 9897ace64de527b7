"""Times of PyTorch, one window at a time: eager, torch.compile, torch.compile with max-autotune, each as it is and as a CUDA graph.

A process of its own that never sees a candidate. Requests are lines of JSON on standard input, answers lines on a copy of standard output that the task's code
cannot print to. Bytes stand in files: see exchange.ts, whose format `unpacked` and `packed` speak.

open:   {source, overrides, settings, dtype, mode, precision, device, subjects, arguments: [[name or null, dtype, shape]]}
base:   {set: number, arguments: [bytes]}
ready:  {subjects, instance}: what is compiled for them is compiled now
window: {subject, instance, work, calls: [{base, renewals: [{argument, byteOffset, bytes}]}], keep: [call], walkBytes}

Each call of a window has operands in memory of its own, parameters too, and every window a walk over more than the cache before it. After the window each call is
made once more by itself; where its bits differ, its outputs come back to be compared in full.
"""

import ast
import ctypes
import json
import os
import sys
import time
import types

answers = os.fdopen(os.dup(1), 'w', buffering=1)
os.dup2(2, 1)

import torch  # noqa: E402
from torch.func import functional_call  # noqa: E402

MODES = {
    'PyTorch eager': None,
    'torch.compile': {},
    'torch.compile max-autotune': {'mode': 'max-autotune-no-cudagraphs'},
}
GRAPHED = ' graphed'


def unpacked(content):
    with open(content['file'], 'rb') as file:

        def walk(each):
            if isinstance(each, list):
                return [walk(one) for one in each]
            if not isinstance(each, dict):
                return each
            if 'bytes' in each:
                file.seek(each['bytes'][0])
                return bytearray(file.read(each['bytes'][1]))
            return {key: walk(value) for key, value in each['fields'].items()}

        return walk(content['json'])


def packed(value, path):
    with open(path, 'wb') as file:

        def walk(each):
            if isinstance(each, (bytes, bytearray)):
                at = file.tell()
                file.write(each)
                return {'bytes': [at, len(each)]}
            if isinstance(each, list):
                return [walk(one) for one in each]
            if isinstance(each, dict):
                return {'fields': {key: walk(one) for key, one in each.items()}}
            return each

        return {'json': walk(value), 'file': path}


def flat(value):
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [t for v in value if v is not None for t in flat(v)]


def raw(tensor):
    """The bytes of a tensor, row-major."""
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8)


def on_host(tensor):
    """A tensor of bytes, as bytes; without NumPy, which need not be there."""
    tensor = tensor.cpu()
    return ctypes.string_at(tensor.data_ptr(), tensor.numel())


class Task:
    """The task's model, called with operands that are given from outside."""

    def __init__(self, request):
        import assay_trace

        tree = ast.parse(request['source'])
        settings = {part: dict(given) for part, given in (request.get('settings') or {}).items()}
        nodes = assay_trace.constants(tree)
        for name, value in (request.get('overrides') or {}).items():
            if name in nodes:
                nodes[name].value = value
            for given in settings.values():
                if name in given:
                    given[name] = value
        # A module that can be imported by its name, which Dynamo does.
        module = sys.modules['task'] = types.ModuleType('task')
        space = module.__dict__
        exec(compile(tree, 'task', 'exec'), space)
        model_class = space['Model']
        init = space.get('get_init_inputs', list)()
        self.model = model_class(*init, **assay_trace.taken(model_class.__init__, settings.get('init', {})))
        if request.get('mode') == 'eval':
            self.model.eval()
        if request.get('dtype'):
            self.model.to(getattr(torch, request['dtype']))
        drawn = space['get_inputs'](**assay_trace.taken(space['get_inputs'], settings.get('input', {})))
        self.others = [None if isinstance(x, torch.Tensor) else x for x in drawn]
        self.places = [i for i, x in enumerate(drawn) if isinstance(x, torch.Tensor)]
        self.device = request['device']
        self.model.to(self.device)
        self.names = [name for name, _, _ in request['arguments']]
        self.specs = [(getattr(torch, dtype), shape) for _, dtype, shape in request['arguments']]

    def uploaded(self, data):
        """Bytes on the device."""
        if len(data) == 0:
            return torch.empty(0, dtype=torch.uint8, device=self.device)
        return torch.frombuffer(data, dtype=torch.uint8).to(self.device)

    def operands(self, arguments):
        """Tensors of one call, over bytes on the device that no other call has: the parameters by name, and the positional inputs."""
        tensors = [
            data.view(dtype).reshape(shape)
            if data.numel() > 0
            else torch.empty(shape, dtype=dtype, device=self.device)
            for data, (dtype, shape) in zip(arguments, self.specs, strict=True)
        ]
        given = list(self.others)
        inputs = [t for t, name in zip(tensors, self.names, strict=True) if name is None]
        for place, tensor in zip(self.places, inputs, strict=True):
            given[place] = tensor
        return {name: t for t, name in zip(tensors, self.names, strict=True) if name is not None}, given

    def call(self, parameters, inputs):
        return functional_call(self.model, parameters, tuple(inputs))


class Clock:
    """Two clocks around a piece of work, microseconds: the device's and the host's."""

    def __init__(self, device):
        self.cuda = device != 'cpu'
        self.events = [torch.cuda.Event(enable_timing=True) for _ in range(2)] if self.cuda else []

    def synchronise(self):
        if self.cuda:
            torch.cuda.synchronize()

    def time(self, work):
        self.synchronise()
        before = time.perf_counter_ns()
        if self.cuda:
            self.events[0].record()
        result = work()
        if self.cuda:
            self.events[1].record()
            torch.cuda.synchronize()
        host = (time.perf_counter_ns() - before) / 1000
        device = self.events[0].elapsed_time(self.events[1]) * 1000 if self.cuda else host
        return result, device, host


class Baselines:
    def __init__(self, request):
        tf32 = request['precision'] == 'tf32'
        torch.backends.cuda.matmul.allow_tf32 = tf32
        torch.backends.cudnn.allow_tf32 = tf32
        torch.set_grad_enabled(False)
        self.task = Task(request)
        self.clock = Clock(request['device'])
        self.bases = {}
        self.forms = {}
        self.walk = None

    def form(self, subject, instance):
        """The task as the subject calls it; compiled once for each instance, on operands that no timed call has."""
        mode = subject.removesuffix(GRAPHED)
        key = (mode, instance)
        if key not in self.forms:
            options = MODES[mode]
            form = self.task.call if options is None else torch.compile(self.own_code(mode), **options)
            # Compilation, and what libraries do at their first call, is no part of a call.
            spare = self.task.operands([data.clone() for data in self.bases[0]])
            for _ in range(3):
                form(*spare)
            self.clock.synchronise()
            self.forms[key] = form
        return self.forms[key]

    def own_code(self, mode):
        """The call, as code that no other mode has: Dynamo keeps what it compiles by code, and would else compile one mode's again, in a timed call, for the other's."""

        def call(parameters, inputs):
            return self.task.call(parameters, inputs)

        code = call.__code__.replace(co_name=''.join(c if c.isalnum() else '_' for c in mode))
        return types.FunctionType(code, call.__globals__, code.co_name, None, call.__closure__)

    def ready(self, request):
        for subject in request['subjects']:
            self.form(subject, request['instance'])
        return {}

    def nothing(self):
        if self.clock.cuda:
            torch.cuda._sleep(0)

    def base(self, request):
        self.bases[request['set']] = [self.task.uploaded(data) for data in request['arguments']]
        return {}

    def cool_down(self, walk_bytes):
        if self.walk is None or self.walk.numel() != walk_bytes // 4:
            self.walk = torch.ones(walk_bytes // 4, dtype=torch.float32, device=self.task.device)
        self.walk.sum()

    def window(self, request):
        slots = []
        for call in request['calls']:
            arguments = [data.clone() for data in self.bases[call['base']]]
            for renewal in call['renewals']:
                at = renewal['byteOffset']
                arguments[renewal['argument']][at : at + len(renewal['bytes'])] = self.task.uploaded(renewal['bytes'])
            slots.append(self.task.operands(arguments))
        subject, null = request['subject'], request['work'] == 'null'
        form = self.form(subject, request['instance'])

        def work():
            if not null:
                return [form(*slot) for slot in slots]
            for _ in slots:
                self.nothing()
            return []

        if subject.endswith(GRAPHED) and self.clock.cuda:
            self.clock.synchronise()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                outputs = work()
            self.cool_down(request['walkBytes'])
            _, device, host = self.clock.time(graph.replay)
        else:
            self.cool_down(request['walkBytes'])
            outputs, device, host = self.clock.time(work)
        outputs = [[raw(t).clone() for t in flat(one)] for one in outputs]
        again = [] if null else [[raw(t) for t in flat(form(*slot))] for slot in slots]
        different = [
            i
            for i, (one, other) in enumerate(zip(outputs, again, strict=True))
            if not all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
        ]
        kept = [] if null else sorted({*request['keep'], *different})
        return {
            'deviceMicroseconds': device,
            'hostMicroseconds': host,
            'kept': [{'call': i, 'outputs': [on_host(t) for t in outputs[i]]} for i in kept],
        }


def environment(device):
    found = {'torch': torch.__version__, 'python': sys.version.split()[0]}
    if device != 'cpu':
        found['torch cuda'] = str(torch.version.cuda)
        found['cudnn'] = str(torch.backends.cudnn.version())
    return found


def main(folder, stand_ins):
    # assay_trace has the rules by which a task file is scaled; PyTorch's stand-ins beside it must not answer for PyTorch.
    sys.path.append(stand_ins)
    import assay_trace  # noqa: F401

    sys.path.remove(stand_ins)
    baselines = None
    for line in sys.stdin:
        request = unpacked(json.loads(line))
        try:
            if request['do'] == 'open':
                baselines = Baselines(request)
                answer = {'environment': environment(request['device'])}
            else:
                answer = getattr(baselines, {'base': 'base', 'ready': 'ready', 'window': 'window'}[request['do']])(request)
        except Exception as error:  # noqa: BLE001
            answer = {'error': f'{type(error).__name__}: {error}'}
        answers.write(json.dumps(packed(answer, os.path.join(folder, 'baseline-answer'))) + '\n')


main(*sys.argv[1:])
