/** What PyTorch computes for a host function: a step of the plan where it is pointwise or a reduction, refused elsewhere. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, tryHost } from '../interpret/try-host.fixture.ts';

const program = (body: string): string => `torch::Tensor forward(torch::Tensor x, torch::Tensor y) {\n  ${body} }`;

/** The operators of the plan: name, attributes, shapes. */
function operators(body: string): unknown[] {
  const { steps } = tryHost(program(body), 'x[4,8] y[8]');
  return steps.map((s) =>
    s.kind === 'operator' ? [s.op, s.attributes, ...s.outputs.map((o) => o.shape.join()), s.inputs.length] : s.kind,
  );
}

test('arithmetic with numbers and tensors', () => {
  assert.deepEqual(operators('int n = 4; return x / static_cast<float>(n) - y;'), [
    ['div', { other: 4, reverse: false, rounding: null }, '4,8', 1],
    ['sub', {}, '4,8', 2],
  ]);
  assert.deepEqual(operators('return torch::pow(x.pow(2), y);'), [
    ['pow', { other: 2, reverse: false }, '4,8', 1],
    ['pow', {}, '4,8', 2],
  ]);
  assert.deepEqual(operators('return 1 - x;'), [['sub', { other: 1, reverse: true }, '4,8', 1]]);
  assert.deepEqual(operators('auto z = torch::empty_like(x); z.div_(2.0); z *= 3; return z;'), [
    ['div', { other: 2, reverse: false, rounding: null }, '4,8', 1],
    'copy',
    ['mul', { other: 3, reverse: false }, '4,8', 1],
    'copy',
  ]);
});

test('reductions and functions of one tensor', () => {
  assert.deepEqual(operators('return x.sum(1).mean();'), [
    ['sum', { dims: [1], keepdim: false }, '4', 1],
    ['mean', { dims: [0], keepdim: false }, '', 1],
  ]);
  assert.deepEqual(operators('return torch::amax(x, {0, -1}, true).sqrt();'), [
    ['max', { dims: [0, 1], keepdim: true, ties: 'share' }, '1,1', 1],
    ['sqrt', {}, '1,1', 1],
  ]);
  assert.deepEqual(operators('return x.var({1}, false, true) + x.var() + x.var(false);').slice(0, 3), [
    ['var', { dims: [1], keepdim: true, correction: 0 }, '4,1', 1],
    ['var', { dims: [0, 1], keepdim: false, correction: 1 }, '', 1],
    ['add', {}, '4,1', 2],
  ]);
  assert.deepEqual(operators('return at::mean(x).square();'), [
    ['mean', { dims: [0, 1], keepdim: false }, '', 1],
    ['pow', { other: 2, reverse: false }, '', 1],
  ]);
});

test('what is not written down stays an error with its line', () => {
  const refused = (body: string, message: RegExp, kind: 'refused' | 'unsupported' = 'unsupported'): void =>
    assertRefused(program(body), 'x[4,8] y[8]', kind, message, 2);
  refused('return at::matmul(x, y);', /matmul computes with PyTorch/, 'refused');
  refused('return x.to(torch::kInt).sum();', /sum of a int32 tensor/);
  refused('return x.add(y, 2);', /add with 2 arguments/);
  refused('return x.to(torch::kHalf) + y;', /add of a float16 and a float32 tensor/);
  refused('return x.view({8, 4}) * y;', /mul/);
});
