/** cuda-samples: sums, scans, votes, atomics and cooperative groups. */
import { type FileDrives, type Rig, sum, table } from './rig.ts';

type Drives = FileDrives['drives'];

const COUNT = 4096;
const THREADS = 256;

/** Sums of each block; `perThread` elements a thread at least. */
function reduction(name: string, instance: string, perThread: number): Drives {
  return {
    [name]: (rig: Rig) => {
      const x = rig.integers(COUNT, -1000, 1000);
      const blocks = COUNT / (THREADS * perThread);
      const out = rig.room(4 * blocks);
      rig.launch(name, blocks, THREADS, [rig.give(x), out, COUNT], { shared: 4 * THREADS, instance });
      const total = rig.i32(out).reduce((all, each) => all + each, 0);
      rig.same('sum', [total], [sum(COUNT, (i) => x[i]!)]);
    },
  };
}

const reductions: Drives = {
  ...reduction('reduce0', 'IiE', 1),
  ...reduction('reduce1', 'IiE', 1),
  ...reduction('reduce2', 'IiE', 1),
  ...reduction('reduce3', 'IiE', 2),
  ...reduction('reduce4', 'IiLj256E', 2),
  ...reduction('reduce5', 'IiLj256E', 2),
  ...reduction('reduce6', 'IiLj256ELb1E', 4),
  ...reduction('reduce7', 'IiLj256ELb1E', 4),
  ...reduction('cg_reduce', 'IiE', 4),
};

/** Exclusive sums within each array of `length`. */
function exclusive(x: Uint32Array, length: number): Uint32Array {
  const out = new Uint32Array(x.length);
  for (let i = 0; i < x.length; i++) out[i] = i % length === 0 ? 0 : out[i - 1]! + x[i - 1]!;
  return out;
}

const scans: Drives = {
  scanExclusiveShared(rig) {
    const x = Uint32Array.from(rig.integers(COUNT, 0, 2 ** 28));
    const out = rig.room(4 * COUNT);
    rig.launch('scanExclusiveShared', COUNT / 1024, 256, [out, rig.give(x), 64]);
    rig.same('out', rig.u32(out), exclusive(x, 64));
  },
  'scanExclusiveShared, scanExclusiveShared2, uniformUpdate'(rig) {
    const x = Uint32Array.from(rig.integers(2 * COUNT, 0, 2 ** 28));
    const input = rig.give(x);
    const [out, sums] = [rig.room(input.bytes), rig.room((4 * x.length) / 1024)];
    rig.launch('scanExclusiveShared', x.length / 1024, 256, [out, input, 1024]);
    rig.launch('scanExclusiveShared2', 1, 256, [sums, out, input, x.length / 1024, COUNT / 1024]);
    rig.launch('uniformUpdate', x.length / 1024, 256, [out, sums]);
    rig.same('out', rig.u32(out), exclusive(x, COUNT));
  },
};

const shuffles: Drives = {
  'shfl_scan_test, uniform_add'(rig) {
    const x = rig.integers(COUNT, -50, 50);
    const [data, sums] = [rig.give(x), rig.room((4 * COUNT) / THREADS)];
    const blocks = COUNT / THREADS;
    rig.launch('shfl_scan_test', blocks, THREADS, [data, 32, sums], { shared: 32 });
    rig.launch('shfl_scan_test', 1, blocks < 32 ? 32 : blocks, [rig.give(pad(rig.i32(sums), 32)), 32, 0n], {
      shared: 32,
    });
    const running = rig.give(prefix(rig.i32(sums)));
    const rest = { pointer: data.pointer + BigInt(4 * THREADS), bytes: 4 * (COUNT - THREADS) };
    rig.launch('uniform_add', blocks - 1, THREADS, [rest, running, COUNT]);
    rig.same('data', rig.i32(data), prefix(x));
  },
};

const pad = (x: Int32Array, count: number): Int32Array => Int32Array.from({ length: count }, (_, i) => x[i] ?? 0);

function prefix(x: Int32Array): Int32Array {
  let total = 0;
  return x.map((each) => {
    total += each;
    return total;
  });
}

const votes: Drives = {
  ...vote('VoteAnyKernel1', (lanes) => lanes.some((each) => each !== 0)),
  ...vote('VoteAllKernel2', (lanes) => lanes.every((each) => each !== 0)),
  VoteAnyKernel3(rig) {
    const out = rig.zeros(3 * 96);
    rig.launch('VoteAnyKernel3', 1, 96, [out, 32]);
    const expected = table(3 * 96, (i) => {
      const thread = Math.floor(i / 3);
      const from = [32, 48, 64][i % 3]!;
      return thread >= from ? 1 : 0;
    });
    rig.same('info', rig.u8(out), expected);
  },
};

function vote(name: string, rule: (lanes: Int32Array) => boolean): Drives {
  return {
    [name]: (rig: Rig) => {
      // A warp of zeros, one of ones, mixed ones.
      const x = Int32Array.from({ length: 128 }, (_, i) => [0, 1, i % 2, i === 100 ? 1 : 0][Math.floor(i / 32)]!);
      const out = rig.room(4 * 128);
      rig.launch(name, 1, 128, [rig.give(x), out, 128]);
      const first = (i: number): number => i - (i % 32);
      const expected = table(128, (i) => (rule(x.subarray(first(i), first(i) + 32)) ? 1 : 0));
      rig.same('result', rig.i32(out), expected);
    },
  };
}

const atomics: Drives = {
  testKernel(rig) {
    const threads = 512;
    const out = rig.give(Int32Array.of(0, 0, 0, -5, 5, 0, 0, 0, 0xff, 0, 0xff));
    rig.launch('testKernel', 2, threads / 2, [out]);
    const got = rig.i32(out);
    const all = Array.from({ length: threads }, (_, i) => i);
    const expected = [10 * threads, -10 * threads, got[2]!, threads - 1, 0];
    rig.same('sum, difference, exchanged, maximum, minimum', got.slice(0, 5), expected);
    rig.same('exchanged is a thread', [Number(got[2]! >= 0 && got[2]! < threads)], [1]);
    // Counting down from 0 wraps to 137: thread 1 sets it, then 511 more steps.
    rig.same('increments, decrements', got.slice(5, 7), [threads % 18, (138 - (threads % 138)) % 138]);
    const and = all.reduce((bits, i) => bits & (2 * i + 7), 0xff);
    const xor = all.reduce((bits, i) => bits ^ i, 0xff);
    rig.same('and, or, xor', got.slice(8), [and, -1, xor]);
  },
};

const products: Drives = {
  scalarProdGPU(rig) {
    const [vectors, elements] = [5, 1500];
    const [a, b] = [rig.random(vectors * elements), rig.random(vectors * elements)];
    const out = rig.room(4 * vectors);
    rig.launch('scalarProdGPU', 3, 256, [out, rig.give(a), rig.give(b), vectors, elements]);
    const expected = table(vectors, (v) => sum(elements, (i) => a[v * elements + i]! * b[v * elements + i]!));
    rig.close('out', rig.f32(out), expected, { absolute: 1e-4 });
  },
};

const groups: readonly FileDrives[] = [
  {
    file: 'Samples/2_Concepts_and_Techniques/reductionMultiBlockCG/reductionMultiBlockCG.cu',
    drives: {
      reduceSinglePassMultiBlockCG(rig) {
        const x = rig.random(COUNT);
        const out = rig.room(4 * 4);
        rig.launch('reduceSinglePassMultiBlockCG', 4, 128, [rig.give(x), out, COUNT], { shared: 8 * 128 });
        rig.close('sum', rig.f32(out).slice(0, 1), [sum(COUNT, (i) => x[i]!)], { absolute: 1e-4 });
      },
    },
  },
  {
    file: 'Samples/2_Concepts_and_Techniques/threadFenceReduction/threadFenceReduction.cu',
    drives: {
      reduceSinglePass(rig) {
        const x = rig.random(COUNT);
        const out = rig.room(4 * 8);
        const args = [rig.give(x), out, COUNT];
        rig.launch('reduceSinglePass', 8, 128, args, { shared: 4 * 128, instance: 'ILj128ELb1E' });
        rig.close('sum', rig.f32(out).slice(0, 1), [sum(COUNT, (i) => x[i]!)], { absolute: 1e-4 });
      },
      reduceMultiPass(rig) {
        const x = rig.random(COUNT);
        const out = rig.room(4 * 8);
        const args = [rig.give(x), out, COUNT];
        rig.launch('reduceMultiPass', 8, 128, args, { shared: 4 * 128, instance: 'ILj128ELb1E' });
        rig.close('sum', [sum(8, (i) => rig.f32(out)[i]!)], [sum(COUNT, (i) => x[i]!)], { absolute: 1e-4 });
      },
    },
  },
  {
    file: 'Samples/3_CUDA_Features/binaryPartitionCG/binaryPartitionCG.cu',
    drives: {
      oddEvenCountAndSumCG(rig) {
        const x = rig.integers(1000, 0, 100);
        const [odds, sums] = [rig.zeros(4), rig.zeros(8)];
        rig.launch('oddEvenCountAndSumCG', 2, 128, [rig.give(x), odds, sums, x.length]);
        const odd = x.filter((each) => each % 2 === 1);
        const total = odd.reduce((all, each) => all + each, 0);
        rig.same('odds', rig.i32(odds), [odd.length]);
        rig.same('sums', rig.i32(sums), [total, sum(x.length, (i) => x[i]!) - total]);
      },
    },
  },
  {
    file: 'Samples/3_CUDA_Features/warpAggregatedAtomicsCG/warpAggregatedAtomicsCG.cu',
    drives: {
      filter_arr(rig) {
        const x = rig.integers(1000, -50, 50);
        const kept = x.filter((each) => each > 0).sort();
        const [out, count] = [rig.room(4 * kept.length), rig.zeros(4)];
        rig.launch('filter_arr', 2, 256, [out, count, rig.give(x), x.length]);
        rig.same('count', rig.i32(count), [kept.length]);
        rig.same('kept', rig.i32(out).sort(), kept);
      },
      mapToBuckets(rig) {
        const x = rig.integers(500, 0, 5);
        const counters = rig.give(Int32Array.from({ length: 5 }, (_, b) => x.filter((each) => each < b).length));
        const out = rig.room(4 * x.length);
        rig.launch('mapToBuckets', 2, 128, [rig.give(x), out, counters, x.length, 5]);
        // Whatever their order within a bucket, the indices must name every element once, bucket after bucket.
        const got = rig.i32(out);
        rig.same(
          'buckets',
          got.map((i) => x[i]!),
          [...x].sort(),
        );
        rig.same(
          'indices',
          [...got].sort((a, b) => a - b),
          Array.from(x.keys()),
        );
      },
      calculateMaxInEachBuckets(rig) {
        const [x, values] = [rig.integers(500, 0, 5), rig.integers(500, 0, 10000)];
        const out = rig.zeros(4 * 5);
        rig.launch('calculateMaxInEachBuckets', 2, 128, [rig.give(x), rig.give(values), out, x.length, 5]);
        const expected = table(5, (b) => Math.max(...values.filter((_, i) => x[i] === b)));
        rig.same('maxima', rig.i32(out), expected);
      },
    },
  },
  {
    file: 'Samples/0_Introduction/simpleAWBarrier/simpleAWBarrier.cu',
    drives: {
      normVecByDotProductAWBarrier(rig) {
        const [a, b] = [rig.random(1000, 0, 1), rig.random(1000, 0, 1)];
        const [A, B, partial] = [rig.give(a), rig.give(b), rig.room(8 * 2)];
        rig.launch('normVecByDotProductAWBarrier', 2, 128, [A, B, partial, a.length], { shared: 8 * 4 });
        const norm = Math.sqrt(sum(a.length, (i) => a[i]! * b[i]!));
        rig.close(
          'A',
          rig.f32(A),
          a.map((each) => each / norm),
        );
        rig.close(
          'B',
          rig.f32(B),
          b.map((each) => each / norm),
        );
      },
    },
  },
];

export const SAMPLES_REDUCTIONS: readonly FileDrives[] = [
  { file: 'Samples/2_Concepts_and_Techniques/reduction/reduction_kernel.cu', drives: reductions },
  { file: 'Samples/2_Concepts_and_Techniques/scan/scan.cu', drives: scans },
  { file: 'Samples/2_Concepts_and_Techniques/shfl_scan/shfl_scan.cu', drives: shuffles },
  { file: 'Samples/0_Introduction/simpleVoteIntrinsics/simpleVoteIntrinsics.cu', drives: votes },
  { file: 'Samples/0_Introduction/simpleAtomicIntrinsics/simpleAtomicIntrinsics.cu', drives: atomics },
  { file: 'Samples/2_Concepts_and_Techniques/scalarProd/scalarProd.cu', drives: products },
  ...groups,
];
