/**
 * `npm run bench:reference [filter]`: how fast the float64 reference is, operator by operator, beside real PyTorch in float64 on one thread (ASSAY_PYTHON,
 * else python3; left out where there is none). Processor time, the best of three. Contractions in GFLOP/s (a multiply-add is two), the rest in
 * thousand million elements a second.
 */
import { spawnSync } from 'node:child_process';
import {
  type Attribute,
  evaluateNode,
  float64,
  type GraphNode,
  type HostTensor,
  hostTensor,
  inferNode,
  operatorOf,
} from '../src/task/index.ts';
import { Attributes } from '../src/task/operators/operator.ts';

interface Row {
  name: string;
  op: string;
  attributes: Record<string, Attribute>;
  shapes: readonly (readonly number[])[];
  /** The same in PyTorch, of the tensors t[0], t[1] ... */
  torch: string;
}

const plain = (n: number, groups = 1) => ({
  stride: new Array<number>(n).fill(1),
  padding: new Array<number>(n).fill(1),
  dilation: new Array<number>(n).fill(1),
  groups,
  bias: false,
});

const rows: readonly Row[] = [
  {
    name: 'matmul 1024^3',
    ...{ op: 'matmul', attributes: {} },
    shapes: [
      [1024, 1024],
      [1024, 1024],
    ],
    torch: 't[0] @ t[1]',
  },
  {
    name: 'matmul 64 x (128, 96) (96, 128)',
    ...{ op: 'matmul', attributes: {} },
    shapes: [
      [64, 128, 96],
      [64, 96, 128],
    ],
    torch: 't[0] @ t[1]',
  },
  {
    name: 'linear 512 x 768 -> 3072',
    ...{ op: 'linear', attributes: { bias: false } },
    shapes: [
      [512, 768],
      [3072, 768],
    ],
    torch: 'F.linear(t[0], t[1])',
  },
  {
    name: 'conv1d 8x64x512 k3',
    ...{ op: 'conv1d', attributes: plain(1) },
    shapes: [
      [8, 64, 512],
      [128, 64, 3],
    ],
    torch: 'F.conv1d(t[0], t[1], padding=1)',
  },
  {
    name: 'conv2d 4x64x56x56 k3',
    ...{ op: 'conv2d', attributes: plain(2) },
    shapes: [
      [4, 64, 56, 56],
      [64, 64, 3, 3],
    ],
    torch: 'F.conv2d(t[0], t[1], padding=1)',
  },
  {
    name: 'conv3d 2x16x16x28x28 k3',
    ...{ op: 'conv3d', attributes: plain(3) },
    shapes: [
      [2, 16, 16, 28, 28],
      [32, 16, 3, 3, 3],
    ],
    torch: 'F.conv3d(t[0], t[1], padding=1)',
  },
  {
    name: 'conv_transpose2d 4x64x28x28 k3',
    ...{ op: 'conv_transpose2d', attributes: { ...plain(2), output_padding: [0, 0] } },
    shapes: [
      [4, 64, 28, 28],
      [64, 64, 3, 3],
    ],
    torch: 'F.conv_transpose2d(t[0], t[1], padding=1)',
  },
  {
    name: 'depthwise conv2d 4x128x56x56 k3',
    ...{ op: 'conv2d', attributes: plain(2, 128) },
    shapes: [
      [4, 128, 56, 56],
      [128, 1, 3, 3],
    ],
    torch: 'F.conv2d(t[0], t[1], padding=1, groups=128)',
  },
  {
    name: 'conv_weight_backward 4x64x56x56 k3',
    op: 'conv_weight_backward',
    attributes: { kernel: [3, 3], stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1 },
    shapes: [
      [4, 64, 56, 56],
      [4, 64, 56, 56],
    ],
    torch: 'torch.nn.grad.conv2d_weight(t[0], (64, 64, 3, 3), t[1], padding=1)',
  },
  {
    name: 'softmax 2048x1024',
    ...{ op: 'softmax', attributes: { dim: 1 }, shapes: [[2048, 1024]] },
    torch: 'torch.softmax(t[0], 1)',
  },
  {
    name: 'layer_norm 2048x1024',
    op: 'layer_norm',
    attributes: { normalized_shape: [1024], eps: 1e-5, weight: true, bias: true },
    shapes: [[2048, 1024], [1024], [1024]],
    torch: 'F.layer_norm(t[0], (1024,), t[1], t[2])',
  },
  {
    name: 'sum of rows 2048x1024',
    ...{ op: 'sum', attributes: { dims: [1], keepdim: false }, shapes: [[2048, 1024]] },
    torch: 't[0].sum(1)',
  },
  {
    name: 'sum of columns 2048x1024',
    ...{ op: 'sum', attributes: { dims: [0], keepdim: false }, shapes: [[2048, 1024]] },
    torch: 't[0].sum(0)',
  },
  {
    name: 'max of rows 2048x1024',
    ...{ op: 'max', attributes: { dims: [1], keepdim: false, ties: 'share' }, shapes: [[2048, 1024]] },
    torch: 't[0].amax(1)',
  },
  {
    name: 'gelu 2048x1024',
    ...{ op: 'gelu', attributes: { approximate: 'none' }, shapes: [[2048, 1024]] },
    torch: 'F.gelu(t[0])',
  },
];

/** A cheap spread of values around zero; only their being different matters. */
function filled(shape: readonly number[], seed: number): HostTensor {
  const count = shape.reduce((n, s) => n * s, 1);
  let state = seed;
  return hostTensor(
    shape,
    'float64',
    Float64Array.from({ length: count }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      return state / 2 ** 31;
    }),
  );
}

/** Seconds of processor time, the best of three. */
function best(work: () => void): number {
  const times = Array.from({ length: 3 }, () => {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1e6;
  });
  return Math.min(...times);
}

/** PyTorch's seconds for each row, or undefined where there is no PyTorch. */
function torchSeconds(some: readonly Row[]): number[] | undefined {
  const script = `import json, sys, time
import torch
import torch.nn.functional as F
torch.set_num_threads(1)
answers = []
for shapes, text in json.load(sys.stdin):
    t = [torch.rand(s, dtype=torch.float64) * 2 - 1 for s in shapes]
    times = []
    for _ in range(3):
        start = time.process_time()
        eval(text)
        times.append(time.process_time() - start)
    answers.append(min(times))
print(json.dumps(answers))
`;
  const input = JSON.stringify(some.map(({ shapes, torch }) => [shapes, torch]));
  const run = spawnSync(process.env.ASSAY_PYTHON ?? 'python3', ['-c', script], { input, encoding: 'utf8' });
  return run.status === 0 ? (JSON.parse(run.stdout) as number[]) : undefined;
}

const [filter = ''] = process.argv.slice(2);
const chosen = rows.filter(({ name }) => name.includes(filter));
const torch = torchSeconds(chosen);
process.stdout.write(`${'operator, float64'.padEnd(38)}${'seconds'.padStart(9)}${'rate'.padStart(9)}  `);
process.stdout.write(torch ? `${'PyTorch'.padStart(9)}${'rate'.padStart(9)}\n` : '(no PyTorch to compare with)\n');
chosen.forEach(({ name, op, attributes, shapes }, i) => {
  const inputs = shapes.map((shape, k) => filled(shape, 7 + k));
  const node: GraphNode = { op, attributes, inputs: [], outputs: [], line: 0 };
  const specs = inputs.map((t) => t.spec);
  const { contraction } = operatorOf(op).operations(specs, new Attributes(op, attributes), inferNode(node, specs));
  const amount = (contraction || inputs[0]!.values.length) / 1e9;
  const unit = contraction ? 'GFLOP/s' : 'G/s';
  const rate = (seconds: number) => `${(amount / seconds).toPrecision(3)}`.padStart(9);
  const own = best(() => evaluateNode(node, inputs, float64));
  const theirs = torch?.[i];
  const beside = theirs === undefined ? '' : `${theirs.toFixed(4).padStart(9)}${rate(theirs)}`;
  process.stdout.write(`${name.padEnd(38)}${own.toFixed(4).padStart(9)}${rate(own)}  ${beside} ${unit}\n`);
});
