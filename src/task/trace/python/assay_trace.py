"""Run one task file against the tracing torch and return its graph as plain data.

`trace(request)` takes and returns JSON text, so that the host never holds a Python object. A process traces one file only, perhaps
several times with other sizes; what the file raises becomes an error with a kind and a line.
"""

import ast
import builtins
import importlib
import inspect
import json
import sys
import types

TASK = '<task>'
OURS = ('torch', 'numpy', 'einops')
HOST_MODULES = (
    'js',
    'pyodide_js',
    'pyodide',
    '_pyodide',
    '_pyodide_core',
    'pyodide_kernel',
    'micropip',
    'ctypes',
    '_ctypes',
)


class TaskFault(Exception):
    """An error found by this driver, not raised by the file."""

    def __init__(self, kind, message, line=0):
        super().__init__(message)
        self.kind, self.message, self.line = kind, message, line


# -- the file's surroundings -----------------------------------------------------------------------------------------


def _asked_by_the_task():
    """True when the import under way was written in the task file, not in a library it uses."""
    frame = sys._getframe(2)
    while frame is not None and ('importlib' in frame.f_code.co_filename or frame.f_code.co_name == 'import_'):
        frame = frame.f_back
    return frame is not None and frame.f_code.co_filename == TASK


class _Refuse:
    """First on sys.meta_path: the bridge to the host does not exist for a task."""

    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] not in HOST_MODULES:
            return None
        if _asked_by_the_task():
            raise sys.modules['torch._record'].unsupported(f'import {name}', 'a task file has no access to the host')
        raise ModuleNotFoundError(f'No module named {name!r}', name=name)


class _Missing:
    """Last on sys.meta_path: a module that nobody provides is named as unsupported."""

    def find_spec(self, name, path=None, target=None):
        if _asked_by_the_task():
            raise sys.modules['torch._record'].unsupported(f'import {name}')
        return None


def _refused(name, why):
    def f(*args, **kw):
        raise sys.modules['torch._record'].unsupported(name, why)

    return f


def seal():
    """Once a process: take the host's modules away and refuse what a sandbox has no use for."""
    for name in [n for n in sys.modules if n.split('.')[0] in HOST_MODULES]:
        del sys.modules[name]
    sys.meta_path[:] = [f for f in sys.meta_path if not type(f).__module__.startswith(('_pyodide', 'pyodide'))]
    sys.meta_path.insert(0, _Refuse())
    sys.meta_path.append(_Missing())
    for module in (importlib.import_module('os'), importlib.import_module('posix')):
        for name in ('system', 'popen', 'fork', 'kill', 'execv', 'execve', 'spawnv', 'posix_spawn'):
            if hasattr(module, name):
                setattr(module, name, _refused(f'os.{name}', 'a task file cannot start processes'))
        for name in ('_exit', 'abort', 'dup', 'dup2'):
            setattr(module, name, _refused(f'os.{name}', 'a task file has neither files nor a process of its own'))


def _builtins():
    """The file's own copy of the builtins."""
    table = dict(vars(builtins))
    table['open'] = _refused('open()', 'a task file has no files')
    table['input'] = _refused('input()', 'a task file has no terminal')
    table['breakpoint'] = _refused('breakpoint()', 'a task file has no terminal')
    return table


def prepare():
    """Once a process, before any task: import the tracing modules and seal. One process serves one task file only."""
    for name in OURS:
        importlib.import_module(name)
    seal()


def _namespaces():
    """Every namespace of ours and the builtins: name -> dictionary."""
    for name, module in list(sys.modules.items()):
        if name.split('.')[0] in OURS or name in ('builtins', 'math', 'json', 'assay_submission', 'assay_again', 'assay_surroundings', __name__):
            yield name, module.__dict__
            for key, value in list(module.__dict__.items()):
                if isinstance(value, type) and getattr(value, '__module__', '').split('.')[0] in OURS:
                    yield f'{name}.{key}', value.__dict__


def _snapshot():
    return {name: dict(table) for name, table in _namespaces()}


def _tampered(before):
    """The first name of ours that the file replaced, or None."""
    for name, table in _namespaces():
        known = before.get(name)
        if known is None:
            continue
        for key in {*known, *table}:
            if known.get(key) is not table.get(key) and not (key.startswith('__') and key not in known):
                return f'{name}.{key}'
    return None


# -- constants that a scale may change -------------------------------------------------------------------------------


def _is_count(node):
    return isinstance(node, ast.Constant) and type(node.value) is int


def _folded(value):
    """`2048 * 2` as one literal; anything but arithmetic on whole numbers as it is."""
    if not isinstance(value, ast.BinOp) or not isinstance(value.op, (ast.Mult, ast.Add, ast.Sub, ast.FloorDiv)):
        return value
    left, right = _folded(value.left), _folded(value.right)
    if not (_is_count(left) and _is_count(right)) or max(abs(left.value), abs(right.value)) > 2**40:
        return value
    if isinstance(value.op, ast.FloorDiv) and right.value == 0:
        return value
    operate = {ast.Mult: int.__mul__, ast.Add: int.__add__, ast.Sub: int.__sub__, ast.FloorDiv: int.__floordiv__}
    return ast.copy_location(ast.Constant(operate[type(value.op)](left.value, right.value)), value)


def constants(tree):
    """Integer literals that set sizes: assigned at module level, or written in get_inputs and get_init_inputs. name -> node.

    A product of literals is one size, and becomes one literal in the tree.
    """
    found = {}
    for node in tree.body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            node.value = _folded(node.value)

    def assigned(target, value):
        if isinstance(target, ast.Name) and _is_count(value):
            found[target.id] = value
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            for t, v in zip(target.elts, value.elts):
                assigned(t, v)
        elif isinstance(target, ast.Name) and isinstance(value, (ast.Tuple, ast.List)):
            for i, v in enumerate(value.elts):
                if _is_count(v):
                    found[f'{target.id}[{i}]'] = v
        elif isinstance(target, ast.Name) and isinstance(value, ast.BinOp):
            for i, v in enumerate(n for n in ast.walk(value) if _is_count(n)):
                found[f'number {i + 1} of {target.id}'] = v

    for node in tree.body:
        if isinstance(node, ast.Assign) and all(isinstance(t, ast.Name) for t in node.targets):
            # height = width = 256 is one constant, by both names
            assigned(ast.Name(' = '.join(t.id for t in node.targets)), node.value)
        elif isinstance(node, ast.Assign) and len(node.targets) == 1:
            assigned(node.targets[0], node.value)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            assigned(node.target, node.value)
        elif isinstance(node, ast.FunctionDef) and node.name in ('get_inputs', 'get_init_inputs'):
            for i, v in enumerate(n for n in ast.walk(node) if _is_count(n)):
                found[f'number {i + 1} of {node.name}'] = v
    return found


# -- draws -----------------------------------------------------------------------------------------------------------


def _number(v):
    return isinstance(v, (int, float)) and not isinstance(v, bool)


def _affine(draw, scale, shift):
    if draw['kind'] == 'uniform':
        a, b = draw['low'] * scale + shift, draw['high'] * scale + shift
        return {'kind': 'uniform', 'low': min(a, b), 'high': max(a, b)}
    if draw['kind'] == 'normal':
        return {'kind': 'normal', 'mean': draw['mean'] * scale + shift, 'std': draw['std'] * abs(scale)}
    return None


def _simple(rec, ident):
    """The draw of a value as one simple draw, or None when it takes a computation."""
    origin = rec.origin[ident]
    if origin[0] == 'draw':
        return origin[1]
    if origin[0] != 'node':
        return None
    node = rec.nodes[origin[1]]
    op, at = node['op'], node['attributes']
    if len(node['inputs']) != 1:
        return None
    draw = _simple(rec, node['inputs'][0])
    if draw is None:
        return None
    kind = draw['kind']
    same = kind in ('uniform', 'normal', 'integer', 'constant', 'uninitialised')
    if op in ('reshape', 'permute', 'slice', 'select', 'flip'):
        return draw if same or (op == 'reshape' and kind in ('range', 'values')) else None
    if op == 'expand':
        return draw if kind == 'constant' else None
    if op == 'cast':
        source, target = rec.specs[node['inputs'][0]][1], rec.specs[ident][1]
        return (
            draw
            if target.category == 2 and (source.category == 2 or kind in ('integer', 'constant')) and kind != 'values'
            else None
        )
    other = at.get('other')
    if kind in ('uniform', 'normal') and (op == 'neg' or _number(other)):
        reverse = at.get('reverse')
        if op == 'neg':
            return _affine(draw, -1, 0)
        if op == 'mul':
            return _affine(draw, other, 0)
        if op == 'div' and not reverse and other and at['rounding'] is None:
            return _affine(draw, 1 / other, 0)
        if op == 'add':
            return _affine(draw, 1, other)
        if op == 'sub':
            return _affine(draw, -1, other) if reverse else _affine(draw, 1, -other)
    return None


def _draw(rec, ident, what):
    simple = _simple(rec, ident)
    if simple is None:
        return {'kind': 'computed', 'graph': _graph(rec, [ident], [], [])}
    if simple['kind'] == 'uninitialised':
        raise TaskFault(
            'invalid',
            f'{what} is uninitialised memory (torch.empty) and is never filled; draw it, for example with torch.randn',
        )
    return simple


# -- the graph -------------------------------------------------------------------------------------------------------


def _value(rec, new, ident):
    shape, dtype = rec.specs[ident]
    return {'id': new, 'spec': {'shape': list(shape), 'dtype': dtype.name}}


def _graph(rec, outputs, inputs, parameters):
    """What the outputs need, with dense ids: inputs, parameters, constants, then nodes in order."""
    needed, leaves, pending = set(), set(), list(outputs)
    seen = set()
    while pending:
        ident = pending.pop()
        if ident in seen:
            continue
        seen.add(ident)
        origin = rec.origin[ident]
        if origin[0] == 'node':
            if origin[1] not in needed:
                needed.add(origin[1])
                pending += rec.nodes[origin[1]]['inputs']
        elif origin[0] == 'draw':
            leaves.add(ident)
    new = {}

    def fresh(ident):
        new[ident] = len(new)
        return _value(rec, new[ident], ident)

    graph = {
        'inputs': [{**fresh(i), 'name': name, 'draw': draw} for i, name, draw in inputs],
        'parameters': [{**fresh(i), 'name': name, 'kind': kind, 'draw': draw} for i, name, kind, draw in parameters],
        'constants': [],
        'nodes': [],
    }
    for ident in sorted(leaves):
        draw = rec.origin[ident][1]
        if draw['kind'] == 'uninitialised':
            raise TaskFault(
                'invalid',
                'the task computes from uninitialised memory (torch.empty); fill it first, or use torch.zeros',
            )
        graph['constants'].append({**fresh(ident), 'draw': draw})
    for index in sorted(needed):
        node = rec.nodes[index]
        operands = [new[i] for i in node['inputs']]
        made = [fresh(i) for i in node['outputs']]
        graph['nodes'].append(
            {
                'op': node['op'],
                'inputs': operands,
                'attributes': node['attributes'],
                'outputs': made,
                'line': node['line'],
            }
        )
    graph['outputs'] = [new[i] for i in outputs]
    return graph


def _scalar(value):
    """A value of __init__ as a candidate may take it, or None when it is not plain."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return True
    return isinstance(value, (list, tuple)) and all(_number(v) for v in value)


def _registered(model):
    """(name, tensor, kind) in the order of state_dict: a module's parameters, its buffers, then its children."""
    seen = set()
    for base, module in model.named_modules():
        for table, kind in ((module._parameters, 'parameter'), (module._buffers, 'buffer')):
            for name, t in table.items():
                if t is not None and id(t) not in seen:
                    seen.add(id(t))
                    yield (base + '.' if base else '') + name, t, kind


def _flat(value, torch, found):
    if isinstance(value, torch.Tensor):
        found.append(value)
    elif isinstance(value, dict):
        for v in value.values():
            _flat(v, torch, found)
    elif isinstance(value, (list, tuple)):
        for v in value:
            _flat(v, torch, found)
    elif value is not None:
        raise TaskFault('unsupported', f'forward returns a {type(value).__name__}; a task returns tensors')
    return found


def _call(module, name, settings, default=None):
    f = getattr(module, name, None)
    if f is None:
        if default is None:
            raise TaskFault(
                'invalid',
                f'the file defines no {name}; a task has a class Model(nn.Module), get_inputs() and get_init_inputs()',
            )
        return default
    value = f(**taken(f, settings))
    if not isinstance(value, (list, tuple)):
        raise TaskFault('invalid', f'{name}() returned a {type(value).__name__}; it must return a list')
    return list(value)


def taken(f, settings):
    """Those of a configuration's settings that a function takes: one configuration is written for the model and its inputs together."""
    parameters = inspect.signature(f).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return settings
    return {p.name: settings[p.name] for p in parameters if p.name in settings}


class _Functional:
    """Stands for the functional form's `fn`: the arguments that the model calls it with, in order, are what a candidate is called with."""

    def __init__(self, fn, torch):
        self.fn, self.torch = fn, torch
        self.arguments = self.results = None

    def __call__(self, *args, **kw):
        if self.arguments is not None:
            raise TaskFault('unsupported', 'forward calls fn more than once; a candidate stands for one call of it')
        bound = inspect.signature(self.fn).bind(*args, **kw)
        self.arguments = dict(bound.arguments)
        value = self.fn(*args, **kw)
        self.results = [t._id() for t in _flat(value, self.torch, [])]
        return value


def _functional(model, torch):
    """The recorder of a model whose forward takes the function to call as `fn`, else None."""
    default = getattr(inspect.signature(model.forward).parameters.get('fn'), 'default', None)
    return _Functional(default, torch) if isinstance(default, types.FunctionType) else None


def _called_with(functional, outputs, inputs, parameters):
    """Inputs, parameters and scalars of the functional form, in the order of fn's arguments."""
    record, torch = sys.modules['torch._record'], functional.torch
    if functional.arguments is None:
        raise TaskFault('unsupported', 'forward takes fn but does not call it')
    if functional.results != outputs:
        raise TaskFault(
            'unsupported',
            'forward computes with what fn returns; in the functional form it returns that as it is',
        )
    known = {entry[0]: entry for entry in [*inputs, *parameters]}
    taken, kept, scalars = [], [], []
    for name, value in functional.arguments.items():
        if isinstance(value, torch.Tensor):
            entry = known.get(value._id())
            if entry is None:
                raise record.unsupported(
                    f'the argument {name} of fn, which is computed from others', 'pass inputs, parameters and numbers'
                )
            if entry in inputs and kept:
                raise record.unsupported(f'the argument {name} of fn, an input after a parameter', 'put inputs first')
            (taken if entry in inputs else kept).append(entry)
        elif _scalar(value):
            scalars.append({'name': name, 'value': record.plain(value)})
        else:
            raise record.unsupported(f'the argument {name} of fn, a {type(value).__name__}')
    return taken, kept, scalars


def _arguments(rec, torch, model, given):
    """Inputs as arguments of the traced function: (call arguments, graph inputs, scalars)."""
    record, tensor = sys.modules['torch._record'], sys.modules['torch._tensor']
    parameters = [
        p for p in inspect.signature(model.forward).parameters.values() if p.kind is not p.KEYWORD_ONLY and p.name != 'fn'
    ]
    call, inputs, scalars = [], [], []
    for i, x in enumerate(given):
        p = parameters[min(i, len(parameters) - 1)] if parameters else None
        name = (
            f'input{i}' if p is None else p.name + (str(i - len(parameters) + 1) if p.kind is p.VAR_POSITIONAL else '')
        )
        if isinstance(x, torch.Tensor):
            draw = _draw(rec, x._id(), f'the input {name}')
            ident = rec.argument(x.shape, x.dtype)
            inputs.append((ident, name, draw))
            call.append(tensor.wrap(ident, x.shape, x.dtype, list(x._strides)))
            if not x.is_contiguous():
                raise record.unsupported(
                    f'the input {name} that is not contiguous', 'call .contiguous() on it in get_inputs'
                )
        elif _scalar(x):
            call.append(x)
            scalars.append({'name': name, 'value': record.plain(x)})
        else:
            raise record.unsupported(f'an input of type {type(x).__name__} ({name})', 'inputs are tensors and numbers')
    return call, inputs, scalars


def _lowered(model, given, dtype, torch):
    """The model and its inputs as `model.half()` and `x.half()` leave them: every floating tensor in `dtype`."""
    model.to(dtype)
    return [x.to(dtype) if isinstance(x, torch.Tensor) and x.is_floating_point() else x for x in given]


def _run(source, overrides, settings, dtype, mode):
    record = sys.modules['torch._record']
    torch = sys.modules['torch']
    rec = record.reset()
    sys.modules['torch._dtypes'].set_default_dtype(torch.float32)
    tree = ast.parse(source, TASK)
    sizes = constants(tree)
    listed = [{'name': name, 'value': node.value, 'line': node.lineno} for name, node in sizes.items()]
    settings = {part: dict(given) for part, given in settings.items()}
    for given in settings.values():
        for name, value in given.items():
            if type(value) is int and not any(c['name'] == name for c in listed):
                listed.append({'name': name, 'value': value, 'line': 0})
    for name, value in overrides.items():
        if name in sizes:
            sizes[name].value = value
        for given in settings.values():
            if name in given:
                given[name] = value
    module = types.ModuleType('assay_task')
    module.__dict__['__builtins__'] = _builtins()
    module.__dict__['__file__'] = TASK
    sys.modules['assay_task'] = module
    exec(compile(tree, TASK, 'exec'), module.__dict__)
    if not isinstance(getattr(module, 'Model', None), type) or not issubclass(module.Model, torch.nn.Module):
        raise TaskFault(
            'invalid',
            'the file defines no class Model(nn.Module); a task has one, with get_inputs() and get_init_inputs()',
        )
    init = _call(module, 'get_init_inputs', {}, [])
    keywords = taken(module.Model.__init__, settings.get('init', {}))
    model = module.Model(*init, **keywords)
    if mode == 'eval':
        model.eval()
    given = _call(module, 'get_inputs', settings.get('input', {}))
    if dtype:
        given = _lowered(model, given, getattr(torch, dtype), torch)
    bound = inspect.signature(module.Model.__init__).bind(model, *init, **keywords)
    bound.apply_defaults()
    scalars = [
        {'name': name, 'value': record.plain(value)}
        for name, value in list(bound.arguments.items())[1:]
        if _scalar(value)
        and inspect.signature(module.Model.__init__).parameters[name].kind.name not in ('VAR_POSITIONAL', 'VAR_KEYWORD')
    ]
    parameters = []
    for name, t, kind in _registered(model):
        draw = _draw(rec, t._id(), f'the {kind} {name}')
        ident = rec.argument(t.shape, t.dtype)
        parameters.append((ident, name, kind, draw))
        t._rebind(ident)
        t._frozen = f'a write in place to the {kind} {name} in forward'
    call, inputs, extra = _arguments(rec, torch, model, given)
    rec.in_forward = True
    functional = _functional(model, torch)
    outputs = [t._id() for t in _flat(model(*call, **({'fn': functional} if functional else {})), torch, [])]
    if not outputs:
        raise TaskFault('invalid', 'forward returns no tensor')
    scalars += extra
    if functional:
        inputs, parameters, scalars = _called_with(functional, outputs, inputs, parameters)
    graph = _graph(rec, outputs, inputs, parameters)
    return {'graph': graph, 'scalars': scalars, 'constants': listed, 'functional': functional is not None, 'stops': rec.stops}


def _line_of(error):
    """Last line of the task file on the error's stack."""
    line, tb = 0, error.__traceback__
    while tb is not None:
        if tb.tb_frame.f_code.co_filename == TASK:
            line = tb.tb_lineno
        tb = tb.tb_next
    return line


def _explain(error):
    if isinstance(error, TaskFault):
        return {'kind': error.kind, 'message': error.message, 'line': error.line or _line_of(error)}
    if isinstance(error, SyntaxError) and error.filename == TASK:
        text = (error.text or '').rstrip('\n')
        return {
            'kind': 'syntax',
            'message': error.msg or 'invalid syntax',
            'line': error.lineno or 0,
            'column': error.offset or 0,
            'text': text,
        }
    if isinstance(error, MemoryError):
        return {
            'kind': 'memory',
            'message': 'the file asks for more memory than a task may use',
            'line': _line_of(error),
        }
    if isinstance(error, RecursionError):
        return {'kind': 'invalid', 'message': 'the file recurses without end', 'line': _line_of(error)}
    kind = 'unsupported' if type(error).__name__ == 'Unsupported' else 'invalid'
    message = str(error) if kind == 'unsupported' else f'{type(error).__name__}: {error}'
    return {'kind': kind, 'message': message, 'line': _line_of(error)}


def trace(request):
    """JSON {source, overrides, settings, dtype, mode} -> JSON {graph, scalars, constants, functional, stops} or {error: {kind, message, line, column?, text?}}."""
    request = json.loads(request)
    dumps = json.dumps
    try:
        record = sys.modules['torch._record']
        before = _snapshot()
        error = result = None
        try:
            asked = (request.get(key, {}) for key in ('overrides', 'settings', 'dtype', 'mode'))
            result = _run(request['source'], *asked)
        except BaseException as raised:  # SystemExit and KeyboardInterrupt too: the file may raise anything
            error = _explain(raised)
        changed = _tampered(before)
        if changed:
            error = {
                'kind': 'invalid',
                'message': f'the file replaces {changed}; a task must not change PyTorch',
                'line': 0,
            }
        elif record.recorder().unsupported and (error is None or error['kind'] != 'syntax'):
            message, line = record.recorder().unsupported
            error = {'kind': 'unsupported', 'message': message, 'line': line}
        return dumps({'error': error} if error else result)
    except MemoryError:
        return (
            '{"error": {"kind": "memory", "message": "the file asks for more memory than a task may use", "line": 0}}'
        )
