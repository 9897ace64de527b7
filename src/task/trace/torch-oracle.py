"""Real PyTorch on task texts: names, shapes and order of parameters, and outputs on given values.

argv: a file with a JSON list of {source, overrides, settings, dtype, mode, inputs, parameters, grads, of}, and the file to write the answer to. Values are flat lists in
row-major order (inputs in order, parameters by name), or null to run without giving any; infinities and NaN are spelled.
`grads` (the outputs' gradients, null for one without) asks for the gradients of the inputs and parameters `of`: numbers of inputs, names of parameters.
Answer: a JSON list of {parameters: [[name, shape, dtype]], outputs: [{shape, dtype, values}], gradients: [... or null] or null, refused: why there are none} or {error}.
"""

import ast
import json
import os
import sys

import torch

torch.set_num_threads(1)


def flat(value):
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [t for v in value if v is not None for t in flat(v)]


def registered(model):
    seen = set()
    for base, module in model.named_modules():
        for name, t in [*module._parameters.items(), *module._buffers.items()]:
            if t is not None and id(t) not in seen:
                seen.add(id(t))
                yield (base + '.' if base else '') + name, t


def filled(like, values):
    return torch.tensor([float(v) for v in values], dtype=torch.float64).to(like.dtype).reshape(like.shape)


def name_of(dtype):
    return str(dtype).removeprefix('torch.')


def run(task, driver):
    tree = ast.parse(task['source'])
    settings = {part: dict(given) for part, given in (task.get('settings') or {}).items()}
    nodes = driver.constants(tree)
    for name, value in (task.get('overrides') or {}).items():
        if name in nodes:
            nodes[name].value = value
        for given in settings.values():
            if name in given:
                given[name] = value
    space = {'__name__': 'task'}
    exec(compile(tree, 'task', 'exec'), space)
    init = space.get('get_init_inputs', list)()
    model = space['Model'](*init, **driver.taken(space['Model'].__init__, settings.get('init', {})))
    if task.get('mode') == 'eval':
        model.eval()
    drawn = space['get_inputs'](**driver.taken(space['get_inputs'], settings.get('input', {})))
    if task.get('dtype'):
        dtype = getattr(torch, task['dtype'])
        model.to(dtype)
        drawn = [x.to(dtype) if isinstance(x, torch.Tensor) and x.is_floating_point() else x for x in drawn]
    given = [x.contiguous() if isinstance(x, torch.Tensor) else x for x in drawn]
    parameters = list(registered(model))
    if task.get('inputs') is not None:
        values = iter(task['inputs'])
        given = [filled(x, next(values)) if isinstance(x, torch.Tensor) else x for x in given]
        with torch.no_grad():
            for name, t in parameters:
                if name in task['parameters']:
                    t.copy_(filled(t, task['parameters'][name]))
    described = [[name, list(t.shape), name_of(t.dtype)] for name, t in parameters]
    gradients = refused = None
    with torch.no_grad():
        outputs = flat(model(*[x.clone() if isinstance(x, torch.Tensor) else x for x in given]))
    if task.get('grads') is not None:
        try:
            gradients = differentiated(model, given, dict(parameters), task)
        except (RuntimeError, NotImplementedError) as error:
            refused = f'{type(error).__name__}: {error}'
    return {
        'parameters': described,
        'outputs': [values_of(t) for t in outputs],
        'gradients': gradients and [None if t is None else values_of(t) for t in gradients],
        'refused': refused,
    }


def differentiated(model, given, parameters, task):
    tensors = [x for x in given if isinstance(x, torch.Tensor)]
    leaves = [tensors[k] if isinstance(k, int) else parameters[k] for k in task['of']]
    for t in leaves:
        t.requires_grad_()
    # A leaf may not be written to; what the model is given is one step from it.
    outputs = flat(model(*[x.clone() if isinstance(x, torch.Tensor) else x for x in given]))
    pairs = [(t, filled(t, g)) for t, g in zip(outputs, task['grads'], strict=True) if g is not None and t.requires_grad]
    if not pairs:
        return [None] * len(leaves)
    return torch.autograd.grad([t for t, _ in pairs], leaves, [g for _, g in pairs], allow_unused=True)


def values_of(t):
    spell = lambda v: v if v == v and abs(v) != float('inf') else repr(v)
    return {'shape': list(t.shape), 'dtype': name_of(t.dtype), 'values': [spell(v) for v in t.double().reshape(-1).tolist()]}


def main(request, answer):
    sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'python'))
    import assay_trace as driver

    sys.path.pop()  # our stand-ins must not answer for a package that is not installed
    answers = []
    with open(request) as f:
        tasks = json.load(f)
    for task in tasks:
        try:
            answers.append(run(task, driver))
        except Exception as error:
            answers.append({'error': f'{type(error).__name__}: {error}'})
    with open(answer, 'w') as f:
        json.dump(answers, f)


main(*sys.argv[1:])
