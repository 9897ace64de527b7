"""Run one submission (a file with a class ModelNew) against the tracing torch, beside the task file that says its inputs.

`submit(request, ask)` takes and returns JSON text. Unlike a task's trace, what comes out is not a graph but what happened in order: the judge
is told of it piece by piece, with each question about an extension's function, so that writes of kernels fall between the operators they fell between.
"""

import ast
import inspect
import json
import sys
import types

import assay_again as again
import assay_surroundings as surroundings
import assay_trace as tracing
from assay_trace import TASK, TaskFault

REFERENCE = '<reference>'

# Modules that are there, and can do nothing to a judgement.
IDLE_MODULES = {
    'time': 'clocks', 'datetime': 'clocks', 'timeit': 'clocks', 'threading': 'threads', 'multiprocessing': 'processes',
    'subprocess': 'processes', 'concurrent': 'threads', 'asyncio': 'tasks', 'signal': 'signals', 'atexit': 'exits', 'gc': 'garbage collection',
    'shutil': 'files', 'pickle': 'files', 'weakref': 'object lifetimes',
}  # fmt: skip


# -- what is read off the text -----------------------------------------------------------------------------------------


def _imports(tree):
    """Names that stand for modules in the file: name -> module."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.split('.')[0]] = alias.name if alias.asname else alias.name.split('.')[0]
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                found.setdefault(alias.asname or alias.name, f'{node.module}.{alias.name}')
    return found


def _dotted(node):
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return [node.id, *reversed(parts)] if isinstance(node, ast.Name) else None


# Switches of PyTorch that a program may set: they choose among its own kernels, and change nothing here.
SWITCHES = ('torch.backends.', 'torch._inductor.config', 'torch._dynamo.config')


def _replaced(tree):
    """(name, line) of the first name of a module that the file assigns to: `torch.allclose = ...`, `setattr(time, 'time', ...)`."""
    names = _imports(tree)
    for node in ast.walk(tree):
        targets = []
        if isinstance(node, (ast.Assign, ast.Delete)):
            targets = node.targets
        elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
            targets = [node.target]
        elif isinstance(node, ast.Call) and _dotted(node.func) in (['setattr'], ['delattr']) and node.args:
            dotted = _dotted(node.args[0])
            if dotted and dotted[0] in names:
                what = node.args[1].value if len(node.args) > 1 and isinstance(node.args[1], ast.Constant) else '...'
                return '.'.join([names[dotted[0]], *dotted[1:], str(what)]), node.lineno
        for target in targets:
            dotted = _dotted(target)
            if dotted and len(dotted) > 1 and dotted[0] in names:
                full = '.'.join([names[dotted[0]], *dotted[1:]])
                if not full.startswith(SWITCHES):
                    return full, node.lineno
    return None


def _remembered(tree):
    """(name, line) of every place in a function that puts something into an attribute or a container that outlives the call."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef) or function.name == '__init__':
            continue
        for node in ast.walk(function):
            if not isinstance(node, (ast.Assign, ast.AugAssign)):
                continue
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                inner = target.value if isinstance(target, ast.Subscript) else target
                if isinstance(inner, ast.Attribute) or (isinstance(target, ast.Subscript) and isinstance(inner, ast.Name)):
                    dotted = _dotted(inner)
                    if dotted:
                        yield '.'.join(dotted), node.lineno


def _remarks(tree):
    for node in ast.walk(tree):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module]
        for module in modules:
            what = IDLE_MODULES.get(module.split('.')[0])
            if what:
                yield f'It imports {module}: {what} have no part in a judgement and no effect on it.', node.lineno


# -- the task's side ---------------------------------------------------------------------------------------------------


def _reference(source, overrides, settings):
    """What the task file says: the arguments of __init__, positional and by name, and the inputs."""
    tree = ast.parse(source, REFERENCE)
    sizes = tracing.constants(tree)
    settings = {part: dict(given) for part, given in settings.items()}
    for name, value in overrides.items():
        if name in sizes:
            sizes[name].value = value
        for given in settings.values():
            if name in given:
                given[name] = value
    module = types.ModuleType('assay_task')
    module.__dict__['__builtins__'] = tracing._builtins()
    sys.modules['assay_task'] = module
    exec(compile(tree, REFERENCE, 'exec'), module.__dict__)
    del sys.modules['assay_task']
    init = tracing._call(module, 'get_init_inputs', {}, [])
    keywords = tracing.taken(module.Model.__init__, settings.get('init', {}))
    return init, keywords, tracing._call(module, 'get_inputs', settings.get('input', {}))


# -- parameters --------------------------------------------------------------------------------------------------------


def _text(name, shape, dtype):
    return f'{name} [{", ".join(map(str, shape))}] {dtype}'


def _before_cast(rec, t):
    """The value of a parameter that __init__ has cast to another type (self.half()): Model's counterpart is that."""
    origin = rec.origin[t._id()]
    node = rec.nodes[origin[1]] if origin[0] == 'node' else None
    return node['inputs'][0] if node and node['op'] == 'cast' and rec.origin[node['inputs'][0]][0] == 'draw' else t._id()


def _fixed(rec, ident, registered):
    """
    True for a value of __init__ that follows from constants and from others that are registered, and for memory without values: it needs no counterpart
    in Model.
    """
    pending, registered = [ident], set(registered)
    while pending:
        ident = pending.pop()
        if ident in registered:
            continue
        kind, *rest = rec.origin[ident]
        if kind == 'node':
            pending += rec.nodes[rest[0]]['inputs']
        elif kind != 'draw' or rest[0]['kind'] not in ('constant', 'range', 'values', 'uninitialised'):
            return False
    return True


def _in_order(own, given, left_out):
    """
    The one way to find each of `own` in `given` (lists of (shape, dtype)), both in order: {index in own: index in given}. Of `own` may be left over those in
    `left_out`; where that is None, any of `given` instead. None where there is no way, or there are several.
    """
    n, m = len(own), len(given)
    ways = [[0] * (m + 1) for _ in range(n + 2)]
    for i in range(n, -1, -1):
        for j in range(m, -1, -1):
            if i == n and j == m:
                ways[i][j] = 1
                continue
            count = ways[i + 1][j + 1] if i < n and j < m and own[i] == given[j] else 0
            if left_out is None:
                count += ways[i][j + 1] if j < m else 0
            elif i < n and i in left_out:
                count += ways[i + 1][j]
            ways[i][j] = min(count, 2)
    if ways[0][0] != 1:
        return None
    found, i, j = {}, 0, 0
    while i < n:
        if j < m and own[i] == given[j] and ways[i + 1][j + 1]:
            found[i] = j
            i, j = i + 1, j + 1
        elif left_out is None:
            j += 1
        else:
            i += 1
    return found


def bind(own, given, fixed):
    """
    Index in `given` of each of `own`; both are (name, shape, dtype name). By name, the rest by order and shape, where there is one way to do so. None for one of
    `fixed` that has no counterpart.
    """
    bound, taken = {}, set()
    known = {name: i for i, (name, _, _) in enumerate(given)}
    for i, (name, shape, dtype) in enumerate(own):
        j = known.get(name)
        if j is not None and given[j][1:] == (shape, dtype):
            bound[i] = j
            taken.add(j)
    rest = [i for i in range(len(own)) if i not in bound]
    left = [j for j in range(len(given)) if j not in taken]
    mine, theirs = [own[i][1:] for i in rest], [given[j][1:] for j in left]
    found = _in_order(mine, theirs, ()) or _in_order(mine, theirs, {k for k, i in enumerate(rest) if fixed[i]})
    if found is None:
        found = _in_order(mine, theirs, None)
    if found is None:
        raise TaskFault(
            'invalid',
            "ModelNew's parameters and buffers cannot be matched with Model's, by name or by order and shape: ModelNew has "
            + (', '.join(_text(*own[i]) for i in rest))
            + ', and Model '
            + (', '.join(_text(*given[j]) for j in left) or 'none that is not taken')
            + '. Register in ModelNew what Model registers, in the same order',
        )
    bound.update((rest[i], left[j]) for i, j in found.items())
    return [bound.get(i) for i in range(len(own))]


# -- one run -----------------------------------------------------------------------------------------------------------


def _arguments(rec, judge, tensor, given, torch):
    """Inputs of one call of forward: tensors become arguments, in order."""
    call, index = [], 0
    for x in given:
        if isinstance(x, torch.Tensor):
            ident = rec.argument(x.shape, x.dtype)
            judge.arguments[ident] = index
            rec.inputs.add(ident)
            index += 1
            call.append(tensor.wrap(ident, x.shape, x.dtype))
        else:
            call.append(x)
    return call, index


def _state(rec, tree):
    places = [*rec.kept, *_remembered(tree)]
    return '; '.join(f'{name}, line {line}' for name, line in dict.fromkeys(places)) or 'no place could be named'


def _run(request, judge):
    record, torch, tensor = (sys.modules[name] for name in ('torch._record', 'torch', 'torch._tensor'))
    rec = record.reset()
    rec.copies = True
    sys.modules['torch._dtypes'].set_default_dtype(torch.float32)
    init, keywords, given = _reference(request['task'], request.get('overrides', {}), request.get('settings', {}))
    rec = record.recorder()
    tree = ast.parse(request['source'], TASK)
    replaced = _replaced(tree)
    if replaced:
        raise TaskFault('refused', f'{replaced[0]} is replaced; a submission must leave PyTorch and Python as they are', replaced[1])
    seen = surroundings.looks(tree)
    if seen:
        raise TaskFault('refused', seen[0], seen[1])
    module = types.ModuleType('assay_submission_file')
    own = {'open': sys.modules['torch._files'].open_, '__import__': surroundings.importing(__import__)}
    module.__dict__['__builtins__'] = {**tracing._builtins(), **own}
    module.__dict__['__file__'] = TASK
    sys.modules['assay_submission_file'] = module
    exec(compile(tree, TASK, 'exec'), module.__dict__)
    made = getattr(module, 'ModelNew', None)
    if not isinstance(made, type) or not issubclass(made, torch.nn.Module):
        raise TaskFault('invalid', 'the file defines no class ModelNew(nn.Module), which a submission in Python has')
    model = made(*init, **keywords)
    if request.get('mode') == 'eval':
        model.eval()
    if request.get('dtype'):
        given = tracing._lowered(model, given, getattr(torch, request['dtype']), torch)
    registered = list(tracing._registered(model))
    fixed = [_fixed(rec, t._id(), [other._id() for _, other, _ in registered if other is not t]) for _, t, _ in registered]
    tensors = [(t['name'], tuple(t['shape']), t['dtype']) for t in request['parameters']]
    drawn = [t._id() if request.get('dtype') else _before_cast(rec, t) for _, t, _ in registered]
    bound = bind([(name, tuple(t.shape), rec.specs[i][1].name) for (name, t, _), i in zip(registered, drawn)], tensors, fixed)
    without = [tensors[j][0] for j in range(len(tensors)) if j not in bound and tensors[j][2] != 'int64']
    call, inputs = _arguments(rec, judge, tensor, given, torch)
    initial = []
    for (name, t, kind), index, before in zip(registered, bound, drawn):
        if index is None:
            continue  # it follows from constants and others, or is a workspace
        if before != t._id():
            initial.append([before, inputs + index])
        else:
            initial += [[ident, inputs + index] for ident in dict.fromkeys([*t._was, t._id()])]
            ident = rec.argument(t.shape, t.dtype)
            judge.arguments[ident] = inputs + index
            t._rebind(ident)
            if not t.is_contiguous():
                t._rebind(tensor.emit('clone', [t], {}, (t.shape, t.dtype), strides=t._strides)._id())
        t._registered = True
        t._frozen = f'a write in place to the {kind} {name} in forward'
    judge.lazy_below = len(rec.specs)
    judge.initial = initial
    rec.in_forward = True
    first = _call(rec, model, call, torch)
    if not first.outputs:
        raise TaskFault('invalid', 'forward returns no tensor')
    news, failures = judge.news(), list(judge.failures)
    remarks = [[text, line] for text, line in _remarks(tree)]
    if without:
        text = f"ModelNew has no counterpart of Model's {', '.join(without)}: its result cannot depend on what the judge puts there."
        remarks.append([text, 0])
    remarks += [list(told) for told in rec.remarks]
    remarks += [[f'It keeps self.{name} between calls: every call is judged as the first one.', line] for name, line in dict.fromkeys(rec.kept)]
    remarks += [[f'Its extension failed here, as it would in PyTorch, and it went on without: {text}', line] for text, line in failures]
    once_more, _ = _arguments(rec, judge, tensor, given, torch)
    judge.replaying = True
    try:
        second = _call(rec, model, once_more, torch)
    except sys.modules['torch._extension'].OtherWork:
        second = None
    compared = _compared(rec, judge, first, second, tree)
    _later(rec, judge, second, tree, lambda: _call(rec, model, _arguments(rec, judge, tensor, given, torch)[0], torch))
    remarks += compared
    return {'outputs': first.outputs, 'remarks': remarks, **news}


def _call(rec, model, arguments, torch):
    call = again.Call(rec, [x._id() for x in arguments if isinstance(x, torch.Tensor)])
    call.close([t._id() for t in tracing._flat(model(*arguments), torch, [])])
    return call


def _compared(rec, judge, first, second, tree):
    """Remarks on a second call, which must make its results as the first did: what it leaves out, it remembers."""
    if second is not None:
        alike = again.signature(first, judge.arguments, second.inputs) == again.signature(second, judge.arguments, first.inputs)
        equal = first.operators() == second.operators() and first.asked() == second.asked()
        if alike and equal:
            return []
        if alike:
            line = next((line for _, line in [*rec.kept, *_remembered(tree)]), 0)
            return [['Its first call does more than later ones (it warms up, or prepares what it keeps): every call is judged as the first one.', line]]
        if equal:
            return [[f'Later calls compute with what earlier ones kept ({_state(rec, tree)}): every call is judged as the first one.', 0]]
    raise TaskFault(
        'refused',
        f'the second call of forward does other work than the first: it keeps results between calls ({_state(rec, tree)}). Compute everything in every call',
    )


# Calls after the second: at most so many, fewer where a call makes so many values that this sum is reached.
LATER_CALLS = 30
LATER_VALUES = 20_000


def _later(rec, judge, second, tree, call):
    """Calls after the second, which must do the work that the second did: a program that counts its calls shows."""
    other = sys.modules['torch._extension'].OtherWork
    for number in range(3, 3 + LATER_CALLS):
        begun = len(rec.specs)
        try:
            made = call()
        except other:
            made = None
        if made is None or made.operators() != second.operators() or made.asked() != second.asked():
            raise TaskFault(
                'refused',
                f'call {number} of forward does other work than the calls before it: it counts them, or keeps results ({_state(rec, tree)}). Compute everything in every call',
            )
        if (len(rec.specs) - begun) * number > LATER_VALUES:
            return


def submit(request, ask):
    """JSON {source, task, parameters, overrides, settings, dtype, mode, gpu} -> JSON {outputs, remarks, values, lazyBelow, initial} or {error}."""
    request = json.loads(request)
    dumps = json.dumps
    extension, record = sys.modules['torch._extension'], sys.modules['torch._record']
    torch = sys.modules['torch']
    judge = extension.attach(torch, torch._module, ask, request['gpu'])
    before = tracing._snapshot()
    clock = dict(vars(sys.modules['time']))
    error = result = None
    try:
        result = _run(request, judge)
    except BaseException as raised:  # the file may raise anything
        error = tracing._explain(raised)
    changed = tracing._tampered(before)
    clock_now = vars(sys.modules['time'])
    for name in clock:
        if clock_now.get(name) is not clock[name]:
            changed = changed or f'time.{name}'
    if changed:
        message = f'{changed} is replaced; a submission must leave PyTorch and Python as they are'
        error = {'kind': 'refused', 'message': message, 'line': 0 if error is None else error['line']}
    elif record.recorder().unsupported and (error is None or error['kind'] != 'syntax'):
        message, line = record.recorder().unsupported
        error = {'kind': 'unsupported', 'message': message, 'line': line}
    return dumps({'error': error} if error else result)
