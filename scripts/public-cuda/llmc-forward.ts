/** llm.c, dev/cuda: the forward kernels outside attention, and the optimiser. */
import { blocksFor, type FileDrives, type LaunchOptions, type Rig, type Size, sum, table } from './rig.ts';
import { normaliseRows, product, softmaxRows } from './rows.ts';

type Drives = FileDrives['drives'];

const gelu = (x: number): number => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

/** One drive for each row of a table of launches. */
function versions<T>(launches: Readonly<Record<string, T>>, drive: (rig: Rig, name: string, how: T) => void): Drives {
  return Object.fromEntries(Object.entries(launches).map(([name, how]) => [name, (rig) => drive(rig, name, how)]));
}

const [B, T, C] = [2, 12, 64];

const encoder = versions(
  {
    encoder_forward_kernel1: () => blocksFor(B * T, 128),
    encoder_forward_kernel2: () => blocksFor(B * T * C, 128),
    encoder_forward_kernel3: ({ perVector }: Rig) => blocksFor(B * T * C, 128 * perVector),
  },
  (rig, name, grid) => {
    const vocabulary = 50;
    const tokens = rig.integers(B * T, 0, vocabulary);
    const [wte, wpe] = [rig.random(vocabulary * C), rig.random(T * C)];
    const out = rig.roomX(B * T * C);
    rig.launch(name, grid(rig), 128, [out, rig.give(tokens), rig.giveX(wte), rig.giveX(wpe), B, T, C]);
    const expected = table(B * T * C, (i) => {
      const [at, c] = [Math.floor(i / C), i % C];
      return wte[tokens[at]! * C + c]! + wpe[(at % T) * C + c]!;
    });
    rig.closeX('out', rig.x(out), expected);
  },
);

interface RowLaunch extends LaunchOptions {
  readonly grid: Size;
  readonly block: Size;
}

const N = 20;

function normalisation(
  width: number,
  weightName: 'weight' | 'statistics',
): (rig: Rig, name: string, how: RowLaunch) => void {
  return (rig, name, { grid, block, shared }) => {
    const [x, weight, bias] = [rig.random(N * width, -2, 3), rig.random(width), rig.random(width)];
    const [out, mean, rstd, input] = [rig.room(4 * N * width), rig.room(4 * N), rig.room(4 * N), rig.give(x)];
    const [w, b] = [rig.give(weight), rig.give(bias)];
    if (weightName === 'weight') rig.launch(name, grid, block, [out, mean, rstd, input, w, b, N, width], { shared });
    else {
      rig.launch('mean_kernel', N, 64, [mean, input, N, width, 64], { shared: 256 });
      rig.launch('rstd_kernel', N, 64, [rstd, input, mean, N, width, 64], { shared: 256 });
      rig.launch('normalization_kernel', blocksFor(N * width, 256), 256, [
        out,
        input,
        mean,
        rstd,
        w,
        b,
        4,
        N / 4,
        width,
      ]);
    }
    const expected = normaliseRows(x, weight, bias);
    rig.close('out', rig.f32(out), expected.out, { relative: 1e-4, absolute: 1e-4 });
    rig.close('mean', rig.f32(mean), expected.mean, { absolute: 1e-5 });
    rig.close('rstd', rig.f32(rstd), expected.rstd, { relative: 1e-4 });
  };
}

const layernorm: Drives = {
  ...versions<RowLaunch>(
    {
      layernorm_forward_kernel1: { grid: 1, block: 64 },
      layernorm_forward_kernel3: { grid: blocksFor(N * 32, 128), block: 128 },
      layernorm_forward_kernel4: { grid: blocksFor(N * 32, 128), block: 128 },
      layernorm_forward_kernel5: { grid: N, block: 128 },
      layernorm_forward_kernel6: { grid: blocksFor(N, 4), block: [32, 4], shared: (2 + 4) * 256 * 4 },
    },
    normalisation(256, 'weight'),
  ),
  'mean_kernel, rstd_kernel, normalization_kernel': (rig) =>
    normalisation(256, 'statistics')(rig, '', { grid: 1, block: 64 }),
};

const softmax = versions<RowLaunch>(
  {
    softmax_forward_kernel1: { grid: 1, block: 64 },
    softmax_forward_kernel2: { grid: N, block: 128, shared: 512 },
    softmax_forward_kernel3: { grid: N, block: 32, shared: 128 },
    softmax_forward_kernel4: { grid: N, block: 128, shared: 16 },
    softmax_forward_online_kernel1: { grid: 1, block: 64 },
    softmax_forward_online_kernel2: { grid: blocksFor(N * 32, 128), block: 128 },
    softmax_forward_kernel7: { grid: N, block: 128, shared: 32 },
    softmax_forward_online_kernel8: { grid: blocksFor(N * 32, 128), block: 128 },
  },
  (rig, name, { grid, block, shared }) => {
    const columns = 700;
    const x = rig.random(N * columns, -4, 4);
    const out = rig.room(4 * x.length);
    rig.launch(name, grid, block, [out, rig.give(x), N, columns], { shared });
    rig.close('out', rig.f32(out), softmaxRows(x, columns), { relative: 1e-4, absolute: 1e-7 });
  },
);

const pointwise = (
  kernels: Readonly<Record<string, 'scalar' | 'vector'>>,
  inputs: number,
  rule: (...x: number[]) => number,
): Drives =>
  versions(kernels, (rig, name, form) => {
    const count = 4096;
    const x = Array.from({ length: inputs }, () => rig.random(count, -3, 3));
    const out = rig.roomX(count);
    const grid = blocksFor(count, form === 'vector' ? 256 * rig.perVector : 256);
    rig.launch(name, grid, 256, [out, ...x.map((each) => rig.giveX(each)), count]);
    const expected = table(count, (i) => rule(...x.map((each) => each[i]!)));
    rig.closeX('out', rig.x(out), expected, { relative: 1e-3, absolute: 1e-3 });
  });

const matmul = versions<{ readonly grid: Size; readonly sizes: readonly [number, number, number] }>(
  {
    matmul_forward_kernel1: { grid: [blocksFor(50, 16), blocksFor(70, 16)], sizes: [50, 40, 70] },
    matmul_forward_kernel4: { grid: [1, 2], sizes: [128, 64, 256] },
  },
  (rig, name, { grid, sizes: [rows, inner, columns] }) => {
    const [x, weight, bias] = [rig.random(rows * inner), rig.random(columns * inner), rig.random(columns)];
    const out = rig.room(4 * rows * columns);
    const size = name.endsWith('1') ? [rows, inner, columns] : [inner, columns];
    rig.launch(name, grid, [16, 16], [out, rig.give(x), rig.give(weight), rig.give(bias), ...size]);
    const plain = product(
      [rows, inner, columns],
      (i, k) => x[i * inner + k]!,
      (k, j) => weight[j * inner + k]!,
    );
    rig.close(
      'out',
      rig.f32(out),
      plain.map((v, i) => v + bias[i % columns]!),
      { absolute: 1e-5 },
    );
  },
);

const crossentropy: Drives = {
  crossentropy_forward_kernel1(rig) {
    const classes = 100;
    const probabilities = softmaxRows(rig.random(B * T * classes), classes);
    const targets = rig.integers(B * T, 0, classes);
    const losses = rig.room(4 * B * T);
    const args = [losses, rig.give(Float32Array.from(probabilities)), rig.give(targets), B, T, classes];
    rig.launch('crossentropy_forward_kernel1', 1, 128, args);
    const expected = table(B * T, (i) => -Math.log(probabilities[i * classes + targets[i]!]!));
    rig.close('losses', rig.f32(losses), expected, { relative: 1e-5 });
  },
};

/** AdamW: moments, their bias corrections, decoupled weight decay. */
const adamw = versions({ adamw_kernel1: 0, adamw_kernel2: 0 }, (rig, name) => {
  const count = 3000;
  const [p, g, m] = [rig.random(count), rig.random(count), rig.random(count)];
  const v = rig.random(count, 0, 1);
  const [rate, beta1, beta2, epsilon, decay, step] = [1e-3, 0.9, 0.999, 1e-8, 0.1, 10];
  const [fix1, fix2] = [1 - beta1 ** step, 1 - beta2 ** step];
  const [P, M, V] = [rig.give(p), rig.give(m), rig.give(v)];
  const args = [P, rig.give(g), M, V, count, rate, beta1, beta2, fix1, fix2, epsilon, decay];
  rig.launch(name, blocksFor(count, 512), 512, args);
  const m2 = table(count, (i) => beta1 * m[i]! + (1 - beta1) * g[i]!);
  const v2 = table(count, (i) => beta2 * v[i]! + (1 - beta2) * g[i]! ** 2);
  rig.close('m', rig.f32(M), m2);
  rig.close('v', rig.f32(V), v2);
  const update = (i: number): number => m2[i]! / fix1 / (Math.sqrt(v2[i]! / fix2) + epsilon) + decay * p[i]!;
  rig.close(
    'parameters',
    rig.f32(P),
    table(count, (i) => p[i]! - rate * update(i)),
    { absolute: 1e-5 },
  );
});

/** The sum of squares: by atomics, or by block sums that a second kernel adds. */
const globalNorm: Drives = {
  ...versions({ norm_kernel1: 0, norm_kernel2: 0, norm_kernel3: 0 }, (rig, name) => {
    const x = rig.random(20000);
    const out = rig.zeros(4);
    rig.launch(name, 8, 256, [out, rig.giveX(x), x.length]);
    rig.close('out', rig.f32(out), [sum(x.length, (i) => x[i]! ** 2)]);
  }),
  'norm_kernel4, global_norm_aggregate_kernel'(rig) {
    const x = rig.random(20000);
    const out = rig.room(4 * 8);
    rig.launch('norm_kernel4', 8, 256, [out, rig.giveX(x), x.length]);
    rig.launch('global_norm_aggregate_kernel', 1, 1024, [out, 8]);
    rig.close('out', rig.f32(out).slice(0, 1), [sum(x.length, (i) => x[i]! ** 2)]);
  },
};

const permute: Drives = {
  permute_kernel(rig) {
    const [a, b, c, d] = [3, 5, 7, 4];
    const x = rig.random(a * b * c * d);
    const out = rig.room(4 * x.length);
    rig.launch('permute_kernel', blocksFor(x.length, 256), 256, [rig.give(x), out, a, b, c, d]);
    // (a, b, c, d) becomes (d, c, a, b).
    const expected = table(x.length, (i) => {
      const [i2, i1] = [i % b, Math.floor(i / b) % a];
      const [i3, i4] = [Math.floor(i / (a * b)) % c, Math.floor(i / (a * b * c))];
      return x[((i1 * b + i2) * c + i3) * d + i4]!;
    });
    rig.same('out', rig.f32(out), expected);
  },
};

const WIDTH = 256;
/** Sum of two inputs, and its layer normalisation. */
const fused: Drives = {
  ...versions<RowLaunch>(
    {
      fused_residual_forward2: { grid: 1, block: 64 },
      fused_residual_forward3: { grid: blocksFor(N, 4), block: [32, 4] },
      fused_residual_forward_kernel4: { grid: blocksFor(N, 4), block: [32, 4] },
      fused_residual_forward_kernel5: { grid: blocksFor(N, 4), block: [32, 4], shared: (2 + 4) * WIDTH * 2 },
      fused_residual_forward_kernel6: { grid: 3, block: [32, 1, 2], shared: (2 + 2) * WIDTH * 2 + 64 * 4 * 2 },
    },
    (rig, name, how) =>
      fusedResidual(rig, (args) => rig.launch(name, how.grid, how.block, args, { shared: how.shared })),
  ),
  'residual_forward_kernel1, layernorm_forward_kernel1': (rig) =>
    fusedResidual(rig, ([residual, normed, mean, rstd, a, b, weight, bias]) => {
      rig.launch('residual_forward_kernel1', blocksFor(N * WIDTH, 128), 128, [residual!, a!, b!, N * WIDTH]);
      rig.launch('layernorm_forward_kernel1', 1, 64, [normed!, mean!, rstd!, residual!, weight!, bias!, N, WIDTH]);
    }),
};

function fusedResidual(rig: Rig, launch: (args: Parameters<Rig['launch']>[3]) => void): void {
  const [x, y] = [rig.random(N * WIDTH), rig.random(N * WIDTH, 0, 3)];
  const [weight, bias] = [rig.random(WIDTH), rig.random(WIDTH)];
  const [residual, normed] = [rig.roomX(N * WIDTH), rig.roomX(N * WIDTH)];
  const [mean, rstd] = [rig.roomX(N), rig.roomX(N)];
  launch([residual, normed, mean, rstd, rig.giveX(x), rig.giveX(y), rig.giveX(weight), rig.giveX(bias), N, WIDTH]);
  const added = table(N * WIDTH, (i) => x[i]! + y[i]!);
  const expected = normaliseRows(added, weight, bias);
  const near = { relative: 1e-4, absolute: 1e-4 };
  rig.closeX('residual', rig.x(residual), added);
  // Some versions normalise what they have rounded: up to 2^-9 of a residual of at most 4, by its deviation.
  rig.closeX('normed', rig.x(normed), expected.out, near, 12);
  rig.closeX('mean', rig.x(mean), expected.mean, near, 2);
  rig.closeX('rstd', rig.x(rstd), expected.rstd, near, 2);
}

export const LLMC_FORWARD: readonly FileDrives[] = [
  { file: 'dev/cuda/encoder_forward.cu', precision: 'bf16', drives: encoder },
  { file: 'dev/cuda/layernorm_forward.cu', drives: layernorm },
  {
    file: 'dev/cuda/softmax_forward.cu',
    drives: softmax,
    faults: {
      softmax_forward_kernel4: {
        finding: /^race: Race on shared memory/,
        why: 'a warp may store its sum where another has yet to read the maximum: a barrier is missing between the two uses',
      },
      softmax_forward_kernel7: {
        finding: /^race: Race on global memory/,
        why: 'threads past the end read the last element, which its own thread divides meanwhile (they do not use it)',
      },
    },
  },
  {
    file: 'dev/cuda/gelu_forward.cu',
    precision: 'bf16',
    drives: pointwise({ gelu_forward_kernel1: 'scalar', gelu_forward_kernel2: 'vector' }, 1, (x) => gelu(x!)),
  },
  {
    file: 'dev/cuda/gelu_backward.cu',
    precision: 'bf16',
    drives: pointwise({ gelu_backward1: 'scalar', gelu_backward2: 'vector' }, 2, (x, dout) => {
      const step = 1e-5;
      return (dout! * (gelu(x! + step) - gelu(x! - step))) / (2 * step);
    }),
  },
  {
    file: 'dev/cuda/residual_forward.cu',
    precision: 'bf16',
    drives: pointwise({ residual_forward_kernel1: 'scalar', residual_forward_kernel2: 'vector' }, 2, (a, b) => a! + b!),
  },
  { file: 'dev/cuda/matmul_forward.cu', drives: matmul },
  { file: 'dev/cuda/crossentropy_forward.cu', drives: crossentropy },
  { file: 'dev/cuda/adamw.cu', drives: adamw },
  { file: 'dev/cuda/global_norm.cu', precision: 'bf16', drives: globalNorm },
  { file: 'dev/cuda/permute.cu', drives: permute },
  { file: 'dev/cuda/fused_residual_forward.cu', precision: 'bf16', drives: fused },
];
