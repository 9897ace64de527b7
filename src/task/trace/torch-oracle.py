"""Real PyTorch on the tests' task texts: names, shapes and order of parameters, and outputs on given values.

stdin: JSON list of {source, overrides, inputs, parameters}; values are flat lists in row-major order, or null to run without giving any.
stdout: JSON list of {parameters: [[name, shape, dtype]], outputs: [{shape, dtype, values}]} or {error}.
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
    return torch.tensor(values, dtype=torch.float64).to(like.dtype).reshape(like.shape)


def name_of(dtype):
    return str(dtype).removeprefix('torch.')


def run(task, constants):
    tree = ast.parse(task['source'])
    if task.get('overrides'):
        nodes = constants(tree)
        for name, value in task['overrides'].items():
            nodes[name].value = value
    space = {'__name__': 'task'}
    exec(compile(tree, 'task', 'exec'), space)
    init = space.get('get_init_inputs', list)()
    model = space['Model'](*init)
    given = [x.contiguous() if isinstance(x, torch.Tensor) else x for x in space['get_inputs']()]
    parameters = list(registered(model))
    if task.get('inputs') is not None:
        values = iter(task['inputs'])
        given = [filled(x, next(values)) if isinstance(x, torch.Tensor) else x for x in given]
        with torch.no_grad():
            for (_, t), v in zip(parameters, task['parameters']):
                t.copy_(filled(t, v))
    described = [[name, list(t.shape), name_of(t.dtype)] for name, t in parameters]
    with torch.no_grad():
        outputs = flat(model(*given))
    spell = lambda v: v if v == v and abs(v) != float('inf') else repr(v)
    return {
        'parameters': described,
        'outputs': [
            {
                'shape': list(t.shape),
                'dtype': name_of(t.dtype),
                'values': [spell(v) for v in t.double().reshape(-1).tolist()],
            }
            for t in outputs
        ],
    }


def main():
    sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'python'))
    from assay_trace import constants

    sys.path.pop()  # our stand-ins must not answer for a package that is not installed
    answers = []
    for task in json.load(sys.stdin):
        try:
            answers.append(run(task, constants))
        except Exception as error:
            answers.append({'error': f'{type(error).__name__}: {error}'})
    json.dump(answers, sys.stdout)


main()
