/**
 * Is a kernel of a few microseconds measured right? Its time by the windows that judgements take, beside that of a graph of 1,000 replays of it and nothing else, and beside Nsight
 * Compute's where that may count. The kernel does arithmetic alone, so that what lies in the caches is all the same to it.
 */
import { nsightCompute } from '../../src/device/index.ts';
import type { Build, Plan, PlanStep } from '../../src/kernel/index.ts';
import type { Place, Stage } from './place.ts';
import { timePlan } from './time-plan.ts';

const REPLAYS = 1000;
const WANTED_MICROSECONDS = 5;
const MOST_APART = 0.05;
const BLOCKS = 132;
const THREADS = 128;

/** Each thread does `rounds` dependent multiply-adds and writes what comes of them. */
const ptx = `.version 7.0
.target sm_70
.address_size 64
.visible .entry turns(.param .u64 py, .param .u32 rounds)
{
  .reg .pred %p; .reg .b32 %r<6>; .reg .f32 %f<3>; .reg .b64 %rd<3>;
  ld.param.u64 %rd0, [py];
  ld.param.u32 %r0, [rounds];
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %tid.x;
  mad.lo.s32 %r4, %r1, %r2, %r3;
  cvt.rn.f32.u32 %f0, %r4;
AGAIN:
  fma.rn.f32 %f0, %f0, 0f3F000000, 0f3F800000;
  sub.u32 %r0, %r0, 1;
  setp.ne.u32 %p, %r0, 0;
  @%p bra AGAIN;
  mul.wide.u32 %rd1, %r4, 4;
  add.s64 %rd2, %rd0, %rd1;
  st.global.f32 [%rd2], %f0;
  ret;
}
`;

const build: Build = {
  ...{ hash: 'turns', ptx, cubin: '', arch: 'sm_70', resources: [], compiler: 'none', milliseconds: 0, cached: true },
};

function planOf(rounds: number, launches: number): Plan {
  const word = Buffer.alloc(4);
  word.writeUInt32LE(rounds);
  const step: PlanStep = {
    ...{ kind: 'launch', entry: 'turns', kernel: 'turns', grid: [BLOCKS, 1, 1], block: [THREADS, 1, 1] },
    ...{ dynamicSharedBytes: 0, line: 1 },
    arguments: [
      { kind: 'pointer', buffer: 1, byteOffset: 0 },
      { kind: 'bytes', hex: word.toString('hex') },
    ],
  };
  const elements = BLOCKS * THREADS;
  return {
    buffers: [
      { id: 0, bytes: 4, kind: 'argument', argument: 0, name: 'x' },
      { id: 1, bytes: 4 * elements, kind: 'workspace', name: 'y' },
    ],
    steps: Array.from({ length: launches }, () => step),
    outputs: [{ buffer: 1, dtype: 'float32', shape: [elements], strides: [1], offset: 0 }],
  };
}

/** Rounds that make a call of about the wanted length. */
async function sized(place: Place): Promise<number> {
  if (place.simulated) return 4;
  const probe = 2000;
  const [few, many] = [await timePlan(place, planOf(1, 1), build), await timePlan(place, planOf(probe, 1), build)];
  const perRound = (many.median - few.median) / probe;
  return Math.max(1, Math.round((WANTED_MICROSECONDS - few.median) / perRound));
}

export const shortStage: Stage = {
  name: 'short',
  purpose: `a kernel of ${WANTED_MICROSECONDS} us by windows, by a graph of ${REPLAYS} replays, by Nsight Compute`,
  run: async (place) => {
    const rounds = await sized(place);
    const replays = place.simulated ? 20 : REPLAYS;
    const windows = await timePlan(place, planOf(rounds, 1), build);
    const graph = await timePlan(place, planOf(rounds, replays), build, 1);
    const replay = graph.median / replays;
    const request = {
      ...{ plan: planOf(rounds, 1), build },
      calls: [{ inputs: [new Uint8Array(4)], poisonSeed: 1, resetGlobals: true, freshMemory: true }],
      limits: { milliseconds: 120_000, instructions: 1e9, memoryBytes: 1e9, printBytes: 1e4 },
    };
    const counted = await nsightCompute({ gpu: place.gpu, fake: place.fake }, request);
    const nsight = 'launches' in counted ? (counted.launches[0]?.values.nanoseconds ?? Number.NaN) / 1000 : undefined;
    const apart = windows.median / replay - 1;
    const words = [
      `by windows ${windows.median.toPrecision(4)} us, by ${replays} replays ${replay.toPrecision(4)} us: ${(100 * apart).toFixed(1)} % apart`,
      nsight === undefined
        ? `by Nsight Compute: ${(counted as { missing: string }).missing}`
        : `by Nsight Compute ${nsight.toPrecision(4)} us, without the launch`,
    ];
    const content = { rounds, windows, graph: { ...graph, replays, replay }, nsight, apart };
    // Over the fake driver a window's ends are as long as the kernel.
    return { passed: place.simulated || Math.abs(apart) <= MOST_APART, content, words: words.join('\n') };
  },
};
