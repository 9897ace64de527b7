/** llm.c, dev/cuda: the backward kernels outside attention. */
import {
  type Buffer,
  blocksFor,
  type FileDrives,
  type KnownFault,
  type LaunchOptions,
  type Rig,
  type Size,
  sum,
  table,
} from './rig.ts';
import { normaliseRows, softmaxRows } from './rows.ts';

type Drives = FileDrives['drives'];

const [B, T, C] = [2, 12, 64];

function encoder(name: string, grid: number): (rig: Rig) => void {
  return (rig) => {
    const vocabulary = 9;
    const tokens = rig.integers(B * T, 0, vocabulary);
    const dout = rig.random(B * T * C);
    const [dwte, dwpe] = [rig.zeros(4 * vocabulary * C), rig.zeros(4 * T * C)];
    rig.launch(name, grid, 128, [dwte, dwpe, rig.give(dout), rig.give(tokens), B, T, C]);
    const over = (keep: (at: number) => boolean, c: number): number =>
      sum(B * T, (at) => (keep(at) ? dout[at * C + c]! : 0));
    const tokenGradient = table(vocabulary * C, (i) => over((at) => tokens[at] === Math.floor(i / C), i % C));
    const positionGradient = table(T * C, (i) => over((at) => at % T === Math.floor(i / C), i % C));
    rig.close('dwte', rig.f32(dwte), tokenGradient, { absolute: 1e-5 });
    rig.close('dwpe', rig.f32(dwpe), positionGradient, { absolute: 1e-5 });
  };
}

const OC = 256;
const ROWS = 48;

/** Column sums, added to what was there. */
function bias(run: (rig: Rig, dbias: Buffer, dout: Buffer) => void): (rig: Rig) => void {
  return (rig) => {
    const dout = rig.random(ROWS * OC);
    const before = rig.random(OC);
    const dbias = rig.giveX(before);
    run(rig, dbias, rig.giveX(dout));
    const expected = table(OC, (j) => before[j]! + sum(ROWS, (i) => dout[i * OC + j]!));
    rig.closeX('dbias', rig.x(dbias), expected, { relative: 1e-5, absolute: 2e-5 });
  };
}

const simpleBias = (name: string, grid: Size, block: Size, shared = 0): Drives => ({
  [name]: bias((rig, dbias, dout) => rig.launch(name, grid, block, [dbias, dout, 4, ROWS / 4, OC], { shared })),
});

const STRUCT = new Uint8Array(1);

const biases: Drives = {
  ...simpleBias('matmul_backward_bias_kernel1', OC, 64, 256),
  ...simpleBias('matmul_backward_bias_kernel2', blocksFor(OC * 32, 128), 128),
  ...simpleBias('matmul_backward_bias_kernel3', OC, 128),
  ...simpleBias('matmul_backward_bias_kernel4', OC / 32, 128, 512),
  'matmul_backward_bias_kernel7, cast_and_add_kernel': bias((rig, dbias, dout) => {
    const buffer = rig.zeros(4 * OC);
    const args = [buffer, dout, 4, ROWS / 4, OC, 256];
    rig.launch('matmul_backward_bias_kernel7', [OC / (32 * rig.perVector), 3], [32, 8], args, {
      shared: 4 * 32 * rig.perVector,
    });
    rig.launch('cast_and_add_kernel', 1, 256, [dbias, buffer, OC]);
  }),
  'matmul_backward_bias_kernel8<bf16, false>': bias((rig, dbias, dout) => {
    const args = [dbias, dout, 4, ROWS / 4, OC, STRUCT];
    rig.launch('matmul_backward_bias_kernel8', [OC / (8 * rig.perVector), 1], [4, 8, 4], args, {
      instance: 'I13__nv_bfloat16Lb0E',
    });
  }),
  'matmul_backward_bias_kernel8<float, true>': bias((rig, dbias, dout) => {
    const buffer = rig.zeros(4 * OC);
    const args = [buffer, dout, 4, ROWS / 4, OC, STRUCT];
    rig.launch('matmul_backward_bias_kernel8', [OC / (8 * rig.perVector), 3], [4, 8, 4], args, { instance: 'IfLb1E' });
    rig.launch('cast_and_add_kernel', 1, 256, [dbias, buffer, OC]);
  }),
  'matmul_backward_bias_kernel9<float, true>, reduce_add_sum_kernel': bias((rig, dbias, dout) => {
    const buffer = rig.room(4 * OC * 3);
    const args = [buffer, dout, 4, ROWS / 4, OC, STRUCT];
    rig.launch('matmul_backward_bias_kernel9', [OC / (8 * rig.perVector), 3], [4, 8, 4], args, { instance: 'IfLb1E' });
    rig.launch('reduce_add_sum_kernel', blocksFor(OC, 256 * 4), 256, [dbias, buffer, OC, 3]);
  }),
  'matmul_backward_bias_kernel9<bf16, false>': bias((rig, dbias, dout) => {
    const args = [dbias, dout, 4, ROWS / 4, OC, STRUCT];
    rig.launch('matmul_backward_bias_kernel9', [OC / (8 * rig.perVector), 1], [4, 8, 4], args, {
      instance: 'I13__nv_bfloat16Lb0E',
    });
  }),
};

const WIDTH = 256;
const N = B * T;

interface NormLaunch extends LaunchOptions {
  readonly grid: number;
  readonly block: number;
  /** Floats of scratch, of which the first `zeroed` start as zeros. */
  readonly scratch?: number;
  readonly zeroed?: number;
}

/** Gradients of layer normalisation: of its input (added up), of weight and bias. */
function normalisation(name: string, { grid, block, shared, scratch = 0, zeroed = scratch }: NormLaunch): Drives {
  return {
    [name]: (rig) => {
      const [x, dout] = [rig.random(N * WIDTH, -2, 3), rig.random(N * WIDTH)];
      const weight = rig.random(WIDTH);
      // Version 1 is of floats whatever the file's type is.
      const plain = name.endsWith('kernel1');
      const give = (values: Float32Array): Buffer => (plain ? rig.give(values) : rig.giveX(values));
      const zeros = (count: number): Buffer => (plain ? rig.zeros(4 * count) : rig.zerosX(count));
      const read = (buffer: Buffer): Float32Array => (plain ? rig.f32(buffer) : rig.x(buffer));
      const statistics = normaliseRows(x, weight, weight);
      const [mean, rstd] = [statistics.mean, statistics.rstd].map((each) => rig.roundX(each)) as [
        Float32Array,
        Float32Array,
      ];
      const [dinp, dweight, dbias] = [zeros(N * WIDTH), zeros(WIDTH), zeros(WIDTH)];
      const inputs = [dout, x, weight, mean, rstd].map(give);
      const room = rig.room(4 * Math.max(scratch, 1));
      rig.gpu.write(room.pointer, new Uint8Array(4 * zeroed));
      const outputs = scratch > 0 ? [dinp, dweight, dbias, room] : [dinp, dweight, dbias];
      if (name.endsWith('kernel2')) {
        const [weights, biases] = [rig.zeros(4 * WIDTH), rig.zeros(4 * WIDTH)];
        rig.launch(name, grid, block, [...outputs, ...inputs, B, T, WIDTH, weights, biases], { shared });
        rig.launch('copy_to_dweight_dbias', 1, 512, [WIDTH, dbias, dweight, biases, weights]);
      } else rig.launch(name, grid, block, [...outputs, ...inputs, B, T, WIDTH], { shared });
      const hat = table(N * WIDTH, (i) => (x[i]! - mean[Math.floor(i / WIDTH)]!) * rstd[Math.floor(i / WIDTH)]!);
      const scaled = table(N * WIDTH, (i) => dout[i]! * weight[i % WIDTH]!);
      const rowMean = (row: number, rule: (i: number) => number): number =>
        sum(WIDTH, (j) => rule(row * WIDTH + j)) / WIDTH;
      const means = Array.from({ length: N }, (_, row) => [
        rowMean(row, (i) => scaled[i]!),
        rowMean(row, (i) => scaled[i]! * hat[i]!),
      ]);
      const gradient = table(N * WIDTH, (i) => {
        const row = Math.floor(i / WIDTH);
        return rstd[row]! * (scaled[i]! - means[row]![0]! - hat[i]! * means[row]![1]!);
      });
      const near = { relative: 1e-4, absolute: 1e-4 };
      rig.closeX('dinp', read(dinp), gradient, near, 2);
      const column = (rule: (i: number) => number) => table(WIDTH, (j) => sum(N, (row) => rule(row * WIDTH + j)));
      // Three blocks may add to what is rounded each time, to sums of up to 2^4.
      rig.closeX(
        'dweight',
        read(dweight),
        column((i) => dout[i]! * hat[i]!),
        near,
        32,
      );
      rig.closeX(
        'dbias',
        read(dbias),
        column((i) => dout[i]!),
        near,
        32,
      );
    },
  };
}

const [GRID, SHARED] = [3, (2 * WIDTH + 1) * 4];
const layernorm: Drives = {
  ...normalisation('layernorm_backward_kernel1', { grid: 1, block: 64 }),
  ...normalisation('layernorm_backward_kernel2', { grid: blocksFor(32 * N, 128), block: 128, shared: 8 * WIDTH }),
  ...normalisation('layernorm_backward_kernel3', { grid: GRID, block: 128, shared: 8 * WIDTH }),
  ...normalisation('layernorm_backward_kernel4', { grid: GRID, block: 128, shared: 8 * WIDTH }),
  ...normalisation('layernorm_backward_kernel5', {
    ...{ grid: GRID, block: 128, shared: SHARED, scratch: GRID * 2 * WIDTH + 1 },
  }),
  ...normalisation('layernorm_backward_kernel6', { grid: GRID, block: 128, shared: SHARED, scratch: 2 * WIDTH + 1 }),
  ...normalisation('layernorm_backward_kernel7', { grid: GRID, block: 128, shared: SHARED, scratch: 2 * WIDTH + 1 }),
  ...normalisation('layernorm_backward_kernel8', { grid: GRID, block: 128, shared: SHARED, scratch: 2 * WIDTH + 1 }),
  ...normalisation('layernorm_backward_kernel9', {
    ...{ grid: GRID, block: 128, shared: (2 * WIDTH + 2 * 128 + 1) * 4, scratch: 32 + GRID * 2 * WIDTH, zeroed: 1 },
  }),
  ...normalisation('layernorm_backward_kernel10', {
    ...{ grid: GRID, block: 128, shared: (2 * WIDTH + 2 * (128 - 32) * 4) * 4, scratch: 32 + GRID * 2 * WIDTH },
    zeroed: 1,
  }),
};

const [CLASSES, PADDED] = [200, 256];

const crossentropy: Drives = {
  crossentropy_softmax_backward_kernel1(rig) {
    const p = softmaxRows(rig.random(N * CLASSES), CLASSES);
    const targets = rig.integers(N, 0, CLASSES);
    const losses = rig.random(N);
    const dlogits = rig.zeros(4 * N * CLASSES);
    const args = [dlogits, rig.give(losses), rig.give(Float32Array.from(p)), rig.give(targets), B, T, CLASSES];
    rig.launch('crossentropy_softmax_backward_kernel1', blocksFor(N * CLASSES, 256), 256, args);
    const expected = table(N * CLASSES, (i) => {
      const row = Math.floor(i / CLASSES);
      return losses[row]! * (p[i]! - (i % CLASSES === targets[row] ? 1 : 0));
    });
    rig.close('dlogits', rig.f32(dlogits), expected);
  },
};

/** Softmax, cross entropy and its gradient in one; logits are padded to a stride of their own. */
function classifier(name: string, grid: number, probabilities: boolean, instance = ''): Drives {
  return {
    [name]: (rig) => {
      const plain = rig.random(N * CLASSES, -3, 3);
      const padded = new Float32Array(N * PADDED);
      for (let row = 0; row < N; row++) padded.set(plain.subarray(row * CLASSES, (row + 1) * CLASSES), row * PADDED);
      const targets = rig.integers(N, 0, CLASSES);
      const weights = rig.random(N);
      const [dlogits, losses] = [rig.give(padded), rig.zeros(4 * N)];
      // The later versions write gradients over the logits, as the host code has them do.
      const inputs = [rig.give(padded), rig.give(weights), rig.give(targets)];
      const outputs = probabilities ? [dlogits, losses, 0n] : [dlogits, losses];
      rig.launch(name, grid, 128, [...outputs, ...inputs, B, T, CLASSES, PADDED], { instance });
      const p = softmaxRows(plain, CLASSES);
      const expected = table(N * CLASSES, (i) => {
        const row = Math.floor(i / CLASSES);
        return weights[row]! * (p[i]! - (i % CLASSES === targets[row] ? 1 : 0));
      });
      const got = rig.f32(dlogits);
      const kept = table(N * CLASSES, (i) => got[Math.floor(i / CLASSES) * PADDED + (i % CLASSES)]!);
      rig.close('dlogits', kept, expected, { relative: 1e-4, absolute: 1e-6 });
      const loss = table(N, (row) => -Math.log(p[row * CLASSES + targets[row]!]!));
      rig.close('losses', rig.f32(losses), loss, { relative: 1e-4 });
    },
  };
}

const NO_FENCE: KnownFault = {
  finding: /^race: Race on global memory .*no fence and atomic order them/,
  why: 'the last block reads what others wrote, and no __threadfence stands between their writes and the flag',
};

export const LLMC_BACKWARD: readonly FileDrives[] = [
  {
    file: 'dev/cuda/encoder_backward.cu',
    drives: {
      encoder_backward_kernel1: encoder('encoder_backward_kernel1', blocksFor(B * T * C, 128)),
      encoder_backward_kernel2: encoder('encoder_backward_kernel2', blocksFor(C, 128)),
    },
  },
  { file: 'dev/cuda/matmul_backward_bias.cu', precision: 'bf16', drives: biases },
  {
    file: 'dev/cuda/layernorm_backward.cu',
    precision: 'bf16',
    drives: layernorm,
    faults: {
      layernorm_backward_kernel9: NO_FENCE,
      layernorm_backward_kernel10: NO_FENCE,
    },
  },
  { file: 'dev/cuda/crossentropy_softmax_backward.cu', drives: crossentropy },
  {
    file: 'dev/cuda/classifier_fused.cu',
    drives: {
      ...classifier('fused_classifier_kernel1', N / 4, false),
      ...classifier('fused_classifier_kernel2', N, true),
      ...classifier('fused_classifier_kernel3', N, true),
      ...classifier('fused_classifier_kernel4', N, true),
      ...classifier('fused_classifier_kernel5', N, true, 'ILb1ELb0E'),
    },
  },
];
