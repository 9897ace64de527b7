"""Compares the strides that the tracer gives results (its _layout.py, whose path is the argument) with PyTorch's own. Prints what differs, then how much was compared."""

import importlib.util
import random
import sys

import torch

spec = importlib.util.spec_from_file_location('layout', sys.argv[1])
layout = importlib.util.module_from_spec(spec)
spec.loader.exec_module(layout)
draw = random.Random(7)
compared = 0


def check(what, real, strides):
    global compared
    if strides is None:
        return
    compared += 1
    if not layout.same(real.shape, list(real.stride()), strides):
        print(f'{what}: {list(real.stride())}, not {strides}')


def operand(shape, gaps=True):
    """A tensor of this shape with its dimensions in any order, now and then with gaps or broadcast."""
    order = draw.sample(range(len(shape)), len(shape))
    grown = [shape[d] + (draw.random() < 0.1 if gaps else 0) for d in order]
    whole = torch.zeros(grown)
    t = whole.permute([order.index(d) for d in range(len(shape))])
    return t[tuple(slice(0, n) for n in shape)]


def told(*tensors):
    return [(list(t.shape), list(t.stride())) for t in tensors]


for _ in range(1000):
    shape = [draw.choice((1, 2, 3, 4)) for _ in range(draw.randint(1, 5))]
    x = operand(shape)
    check(f'a copy of {told(x)}', x.clone(), layout.preserved(*told(x)[0]))
    check(f'empty_like {told(x)}', torch.empty_like(x), layout.preserved(*told(x)[0]))
    check(f'exp of {told(x)}', x.exp(), layout.pointwise(shape, told(x)))
    y = operand([n if draw.random() < 0.8 else 1 for n in shape][draw.randint(0, 1) * draw.randint(0, len(shape) - 1) :])
    check(f'the sum of {told(x, y)}', x + y, layout.pointwise(torch.broadcast_shapes(x.shape, y.shape), told(x, y)))
    if len(shape) == 4:
        suggests = x.contiguous().permute(0, 3, 1, 2) if draw.random() < 0.5 else x
        real = torch.nn.functional.max_pool2d(suggests, 1)
        check(f'max_pool2d of {told(suggests)}', real, layout.of('max_pool2d', told(suggests), list(real.shape)))
        for op, f in (
            ('softmax', lambda t: t.softmax(1)),
            ('sum', lambda t: t.sum(1, keepdim=True)),
            ('mean', lambda t: t.mean((2, 3))),
            ('batch_norm', lambda t: torch.nn.functional.batch_norm(t, torch.zeros(t.shape[1]), torch.ones(t.shape[1]))),
        ):
            real = f(suggests)
            check(f'{op} of {told(suggests)}', real, layout.of(op, told(suggests), list(real.shape)))
        real = torch.cat([suggests, suggests], 1)
        check(f'cat of {told(suggests)}', real, layout.of('cat', told(suggests, suggests), list(real.shape)))
print(f'compared {compared}')
