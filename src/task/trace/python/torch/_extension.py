"""torch.utils.cpp_extension for submissions: extensions are strings handed to the judge, their functions questions to it.

A call does nothing here: the judge interprets the C++ host function for the arguments' shapes and answers with the shapes of what it
returns. Only a submission has a judge to ask; in a task file the module does not exist.
"""

import json
import os
import sys

from . import _amp, _dtypes, _files, _gpu, _jit
from ._record import line, recorder, unsupported
from ._tensor import Tensor, wrap


class Judge:
    """The way to the judge, while a submission runs. While `replaying`, answers are given again."""

    def __init__(self, ask):
        self._ask = ask
        self.answers = {}  # what was asked of extensions' functions -> the answer, or the error
        self.loaded = {}
        self.replaying = False
        self.sent = 0
        self.lazy_below = 0
        self.initial = []  # [what a parameter was in __init__, the argument that it is]
        self.arguments = {}
        self.failures = []  # (message, line) of questions that the judge answered with an error of the program's own

    def load(self, question):
        """An extension. Its functions do nothing here, so the same sources are the same extension, as PyTorch has them from its cache."""
        key = json.dumps({k: v for k, v in question.items() if k != 'line'})
        if key not in self.loaded:
            self.loaded[key] = self._answer({'kind': 'load', **question})
        return self.loaded[key]

    def call(self, question):
        if recorder().traced:
            raise unsupported(
                f"a call of {question['function']} in a function traced by torch.jit.trace",
                'PyTorch keeps its result as a constant then; call it outside',
            )
        described = described_(question)
        if self.replaying:
            return self._again(described)
        try:
            answer = self._answer({'kind': 'call', 'autocast': _amp.lower() is not None, **question, **self.news()})
        except RuntimeError as failure:
            self.answers[described] = failure
            raise
        self.answers[described] = answer
        return answer

    def news(self):
        """What the recorder has seen since the last question: values in the order of their ids."""
        rec, first = recorder(), self.sent
        values = []
        for ident in range(first, len(rec.specs)):
            shape, dtype = rec.specs[ident]
            origin = rec.origin[ident]
            spec = {'shape': list(shape), 'dtype': dtype.name}
            laid = {'strides': rec.strides[ident]} if ident in rec.strides else {}
            if origin[0] == 'node':
                node = rec.nodes[origin[1]]
                if origin[2] == 0:
                    specs = [{'shape': list(rec.specs[i][0]), 'dtype': rec.specs[i][1].name} for i in node['outputs']]
                    at = {key: node[key] for key in ('op', 'inputs', 'attributes', 'line')}
                    values.append({'kind': 'node', 'id': ident, 'outputs': specs, **at, **laid})
            elif origin[0] == 'draw':
                values.append({'kind': 'draw', 'id': ident, 'spec': spec, 'draw': origin[1], **laid})
            elif origin[0] == 'argument':
                values.append({'kind': 'argument', 'id': ident, 'argument': self.arguments.get(ident, -1)})
            # What an extension returned is known to the judge: it said so.
        self.sent = len(rec.specs)
        return {'values': values, 'lazyBelow': self.lazy_below, 'initial': self.initial}

    def _answer(self, question):
        answer = json.loads(self._ask(json.dumps(question)))
        if 'failed' in answer:
            self.failures.append((answer['failed'], question['line']))
            raise RuntimeError(answer['failed'])
        return answer

    def _again(self, described):
        """The answer to a question that was asked before: the same question of the same sources has the same."""
        if described not in self.answers:
            raise OtherWork()
        answer = self.answers[described]
        if isinstance(answer, RuntimeError):
            raise answer
        return answer


class OtherWork(BaseException):
    """A second call of forward asks the judge other things than the first."""


def described_(question):
    """A question without the ids of its values."""
    return json.dumps([
        question['module'], question['function'], question['arguments'], question['keywords'],
        [[t['shape'], t['strides'], t['dtype']] for t in question['tensors']],
    ])  # fmt: skip


_judge = [None]


def attach(torch, module, ask, facts):
    """Once, before a submission: what it may use and a task file may not is there, and its questions go to `ask`. Returns the judge."""
    names = {'load_inline': load_inline, 'load': load, 'CUDA_HOME': '/usr/local/cuda', 'is_ninja_available': lambda: True}
    extension = module('utils.cpp_extension', verify_ninja_availability=lambda: None, **names)
    torch.utils = module('utils', cpp_extension=extension)
    _gpu.tell(facts)
    old = {'custom_fwd': _amp.custom_fwd, 'custom_bwd': _amp.custom_bwd}
    amp = module('cuda.amp', autocast=_amp.cuda_autocast, **old)
    torch.cuda.__dict__.update(_gpu.NAMES, amp=amp)
    torch.cuda.__path__ = []
    torch.cuda.FloatTensor = torch.Tensor
    torch.amp = module('amp', autocast=_amp.autocast, **old)
    torch.autocast, torch.is_autocast_enabled, torch.get_autocast_dtype = _amp.autocast, _amp.is_autocast_enabled, _amp.get_autocast_dtype
    torch.get_autocast_gpu_dtype = _amp.get_autocast_dtype
    torch.jit.__dict__.update(_jit.NAMES)
    torch._C = module('_C', **dict.fromkeys(_jit.SWITCHES_OF_C, lambda *args: None))
    for name in ('_inductor', '_dynamo'):
        config = _jit.Switches(f'torch.{name}.config')
        torch.__dict__[name] = module(name, config=config, reset=lambda: None, list_backends=lambda *args: [])
        sys.modules[f'torch.{name}.config'] = config
    _judge[0] = Judge(ask)
    return _judge[0]


def _texts(sources, what):
    sources = [sources] if isinstance(sources, str) else list(sources or [])
    if not all(isinstance(s, str) for s in sources):
        raise TypeError(f'{what} must be strings')
    return sources


def load_inline(
    name, cpp_sources='', cuda_sources=None, functions=None, extra_cflags=None, extra_cuda_cflags=None, extra_ldflags=None,
    extra_include_paths=None, build_directory=None, verbose=False, with_cuda=None, is_python_module=True,
    with_pytorch_error_handling=True, keep_intermediates=True, use_pch=False, no_implicit_headers=False, sycl_sources=None,
    extra_sycl_cflags=None, with_sycl=None,
):  # fmt: skip
    """torch.utils.cpp_extension.load_inline. Build folders and C++ flags have no meaning here; CUDA flags go to the judge's allow-list."""
    if not is_python_module:
        raise unsupported('load_inline(is_python_module=False)')
    if functions is not None and not isinstance(functions, (str, list, dict)):
        raise ValueError(f"Expected 'functions' to be a list or dict, but was {type(functions)}")
    cpp, cuda = _texts(cpp_sources, 'cpp_sources'), _texts(cuda_sources, 'cuda_sources')
    return _built(name, cpp, cuda, functions, extra_cuda_cflags, extra_include_paths)


def load(
    name, sources, extra_cflags=None, extra_cuda_cflags=None, extra_sycl_cflags=None, extra_ldflags=None, extra_include_paths=None,
    build_directory=None, verbose=False, with_cuda=None, with_sycl=None, is_python_module=True, is_standalone=False, keep_intermediates=True,
):  # fmt: skip
    """torch.utils.cpp_extension.load of files that the submission has written."""
    if not is_python_module or is_standalone:
        raise unsupported('load(is_python_module=False)')
    texts = {'cpp': [], 'cuda': []}
    for source in [sources] if isinstance(sources, (str, os.PathLike)) else list(sources):
        text = _files.text_of(source)
        if text is None:
            raise unsupported(
                f'torch.utils.cpp_extension.load of {str(source)!r}',
                'the submission has not written that file; give the sources as strings to load_inline',
            )
        texts['cuda' if str(source).endswith(('.cu', '.cuh')) else 'cpp'].append(text)
    return _built(name, texts['cpp'], texts['cuda'], None, extra_cuda_cflags, extra_include_paths)


def _built(name, cpp, cuda, functions, extra_cuda_cflags, extra_include_paths):
    if extra_include_paths:
        raise unsupported('extra_include_paths', 'a submission has no files; put the code into the source string')
    names = [functions] if isinstance(functions, str) else None if functions is None else list(functions)
    question = {
        'name': str(name),
        'cpp': cpp,
        'cuda': cuda,
        'functions': None if names is None else [str(n) for n in names],
        'flags': [f for flag in _texts(extra_cuda_cflags, 'extra_cuda_cflags') for f in flag.split()],
        'line': line(),
    }
    answer = _judge[0].load(question)
    return Extension(str(name), answer['module'], answer['names'])


class Extension:
    """What load_inline returns: a module with functions."""

    def __init__(self, name, module, names):
        self.__name__ = name
        for function in names:
            setattr(self, function, _function(module, function))

    def __repr__(self):
        return f"<module '{self.__name__}'>"

    def __deepcopy__(self, memo):
        return self


def _function(module, function):
    def call(*args, **kw):
        tensors = []
        question = {
            'module': module,
            'function': function,
            'arguments': [_argument(a, tensors) for a in args],
            'keywords': {str(k): _argument(a, tensors) for k, a in kw.items()},
            'line': line(),
        }
        if not recorder().in_forward:
            raise unsupported(f'a call of {function} outside forward', 'call it in forward, where it is judged')
        question['tensors'] = [
            {'id': t._id(), 'shape': list(t.shape), 'strides': list(t._strides), 'dtype': t.dtype.name} for t in tensors
        ]
        at = len(recorder().specs)
        answer = _judge[0].call(question)
        for t in tensors:
            _touched(t)
        made = []
        result = _result(answer['result'], tensors, made)
        given = [t['id'] for t in question['tensors']]
        results = [(i, None if k is None else given[k]) for i, k in made]
        recorder().calls.append({'at': at, 'described': described_(question), 'given': given, 'results': results})
        return result

    call.__name__ = function
    return call


def _argument(value, tensors):
    if isinstance(value, Tensor):
        tensors.append(value)
        return {'tensor': len(tensors) - 1}
    if value is None or isinstance(value, (bool, str)):
        return {'plain': value}
    if isinstance(value, int):
        return {'int': str(int(value))}
    if isinstance(value, float):
        return {'float': repr(float(value))}
    if isinstance(value, (list, tuple)):
        return {'list': [_argument(v, tensors) for v in value]}
    if isinstance(value, _dtypes.dtype):
        return {'dtype': value.name}
    raise TypeError(f'incompatible function arguments: a {type(value).__name__} cannot be given to a C++ function')


def _touched(t):
    """A kernel may have written the memory of `t`: what was known of its values is not known any more, and views are taken again."""
    while t._parent is not None:
        t = t._parent
    t._known = None
    t._version += 1


def _result(told, tensors, fresh):
    """What Python gets; `fresh` takes (id, index of the tensor whose memory it is, or None) of every new value."""
    if told is None:
        return None
    if 'list' in told:
        items = [_result(item, tensors, fresh) for item in told['list']]
        return tuple(items) if told['tuple'] else items
    if 'plain' in told:
        return told['plain']
    if told['argument'] is not None and told['whole']:
        return tensors[told['argument']]
    shape, dtype = tuple(told['shape']), getattr(_dtypes, 'ALL')[told['dtype']]
    made = wrap(recorder()._value(shape, dtype, ('extension',)), shape, dtype, list(told['strides']))
    fresh.append((made._id(), told['argument']))
    if told['argument'] is not None:
        root = tensors[told['argument']]
        while root._parent is not None:
            root = root._parent
        made._frozen = root._frozen = 'a write in place to a tensor that an extension returned a view of'
    return made
