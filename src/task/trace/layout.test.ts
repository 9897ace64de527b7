/** What the tracer says of a submission's tensors beside their values: strides against real PyTorch, autocast against PyTorch's own lists. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { pythonWithTorch } from './torch-oracle.ts';

const found = pythonWithTorch();
const skip = 'missing' in found ? found.missing : false;
const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const python = (...args: string[]) =>
  'missing' in found
    ? ''
    : execFileSync(found.python, args, { encoding: 'utf8', env: { PYTHONDONTWRITEBYTECODE: '1' } });

test('strides of results agree with PyTorch: pointwise, copies, pools, norms, reductions, joins', { skip }, () => {
  const told = python(file('layout-oracle.py'), file('python/torch/_layout.py')).trim().split('\n');
  assert.equal(told.length, 1, told.slice(0, 10).join('\n'));
  assert(Number(told[0]!.replace('compared ', '')) > 4000, told[0]);
});

test('autocast lowers what PyTorch lowers, and computes in float32 what PyTorch does', { skip }, () => {
  const header = python('-c', 'import torch.utils.cpp_extension as e; print(e.include_paths()[0])').trim();
  const text = readFileSync(`${header}/ATen/autocast_mode.h`, 'utf8');
  const listed = (macro: string) =>
    [...(new RegExp(`#define ${macro}\\(_\\)((?:.*\\\\\\n)*.*\\n)`).exec(text)?.[1] ?? '').matchAll(/_\((\w+)/g)].map(
      ([, name]) => name,
    );
  const ours = (name: string): string[] => {
    const table = new RegExp(`${name} = frozenset\\(\\s*([\\s\\S]*?)\\.split`).exec(
      readFileSync(file('python/torch/_amp.py'), 'utf8'),
    )![1]!;
    return [...table.matchAll(/\w+/g)].map(([word]) => word);
  };
  // One operator here for several there.
  const spelled: Record<string, readonly string[]> = {
    norm: ['linalg_vector_norm'],
    interpolate: ['upsample_nearest2d', 'upsample_bilinear2d'],
    cross_entropy: ['log_softmax', 'nll_loss'],
  };
  const lower = new Set(listed('AT_FORALL_LOWER_PRECISION_FP'));
  const single = new Set([...listed('AT_FORALL_FP32'), ...listed('AT_FORALL_FP32_SET_OPT_DTYPE')]);
  assert(lower.size > 25 && single.size > 55, `${lower.size} ${single.size}`);
  for (const op of ours('LOWER')) assert(lower.has(op), `${op} is not lowered by PyTorch`);
  for (const op of ours('SINGLE'))
    for (const name of spelled[op] ?? [op]) assert(single.has(name), `${op} is not computed in float32 by PyTorch`);
});

test('names that submissions invent are not in PyTorch', { skip }, () => {
  const names = /ABSENT = frozenset\(\s*'([^']*)'/.exec(readFileSync(file('python/torch/_record.py'), 'utf8'))![1]!;
  const there = python(
    '-c',
    `import torch\nfor n in '${names}'.split(): print(n, hasattr(eval(n.rpartition('.')[0]), n.rpartition('.')[2]))`,
  );
  assert(names.split(' ').length > 3);
  for (const line of there.trim().split('\n')) assert.match(line, / False$/);
});
