/** Kernels for the tests of the GPU's rooms, as PTX that needs no compiler, and plans of one input `x` and one workspace `y` that launch them. */
import type { Build, LaunchArgument, Plan, PlanStep, PlanTensor } from '../../kernel/index.ts';
import type { Call } from '../types.ts';

export const count = 300;

/** Each computes i = blockIdx.x * blockDim.x + threadIdx.x and has the addresses of x[i] and y[i] in %rx and %ry; `body` does the rest for i < n. */
const kernel = (name: string, body: string): string => `
.visible .entry ${name}(.param .u64 px, .param .u64 py, .param .u32 pn)
{
  .reg .pred %p<3>; .reg .b32 %r<8>; .reg .f32 %f<4>; .reg .b64 %rd<8>; .reg .b64 %rx; .reg .b64 %ry; .reg .b64 %bx; .reg .b64 %by;
  ld.param.u64 %bx, [px];
  ld.param.u64 %by, [py];
  ld.param.u32 %r0, [pn];
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %tid.x;
  mad.lo.s32 %r4, %r1, %r2, %r3;
  mul.wide.s32 %rd0, %r4, 4;
  add.s64 %rx, %bx, %rd0;
  add.s64 %ry, %by, %rd0;
  setp.ge.s32 %p0, %r4, %r0;
  @%p0 bra DONE;
${body}
DONE:
  ret;
}`;

const ptx = `.version 7.0
.target sm_70
.address_size 64
.global .align 4 .u32 calls = 0;
.visible .global .align 4 .f32 scale = 0f40000000;
.extern .shared .align 4 .b8 dynamic[];
${kernel('twice', '  ld.global.f32 %f0, [%rx];\n  add.f32 %f1, %f0, %f0;\n  st.global.f32 [%ry], %f1;')}
${kernel('scaled', '  ld.global.f32 %f0, [%rx];\n  ld.global.f32 %f1, [scale];\n  mul.f32 %f2, %f0, %f1;\n  st.global.f32 [%ry], %f2;')}
${kernel('copied', '  ld.global.b32 %r5, [%rx];\n  st.global.b32 [%ry], %r5;')}
${kernel('through_shared', '  mul.wide.u32 %rd1, %r3, 4;\n  mov.u64 %rd2, dynamic;\n  add.s64 %rd2, %rd2, %rd1;\n  ld.global.f32 %f0, [%rx];\n  st.shared.f32 [%rd2], %f0;\n  ld.shared.f32 %f1, [%rd2];\n  st.global.f32 [%ry], %f1;')}
${kernel('even_elements', '  and.b32 %r5, %r4, 1;\n  setp.ne.s32 %p1, %r5, 0;\n  @%p1 bra DONE;\n  ld.global.f32 %f0, [%rx];\n  st.global.f32 [%ry], %f0;')}
${kernel('changes_x', '  setp.ne.s32 %p1, %r4, 7;\n  @%p1 bra DONE;\n  mov.f32 %f0, 0fBF800000;\n  st.global.f32 [%rx], %f0;')}
${kernel('one_past_the_end', '  ld.global.f32 %f0, [%rx];\n  st.global.f32 [%ry+4], %f0;')}
${kernel('far_away', '  ld.global.f32 %f0, [%rx];\n  st.global.f32 [%ry+1073741824], %f0;')}
${kernel('misaligned', '  ld.global.f32 %f0, [%rx];\n  st.global.f32 [%ry+2], %f0;')}
${kernel('traps', '  trap;')}
${kernel('counts_calls', '  ld.global.u32 %r5, [calls];\n  cvt.rn.f32.u32 %f0, %r5;\n  st.global.f32 [%ry], %f0;\n  bar.sync 0;\n  setp.ne.s32 %p1, %r4, 0;\n  @%p1 bra DONE;\n  add.u32 %r5, %r5, 1;\n  st.global.u32 [calls], %r5;')}
${kernel('forever', '  setp.ne.s32 %p1, %r4, 0;\n  @%p1 bra DONE;\nAGAIN:\n  ld.volatile.global.f32 %f0, [%rx];\n  setp.eq.f32 %p2, %f0, %f0;\n  @%p2 bra AGAIN;')}
${kernel('nothing', '')}
`;

/** Compiled code without machine code: the driver assembles the PTX. */
export const build: Build = {
  hash: '0'.repeat(64),
  ptx,
  cubin: '',
  arch: 'sm_90',
  resources: [],
  compiler: 'none',
  milliseconds: 0,
  cached: false,
};

export const vector = (buffer: number, rest: Partial<PlanTensor> = {}): PlanTensor => ({
  buffer,
  dtype: 'float32',
  shape: [count],
  strides: [1],
  offset: 0,
  ...rest,
});

const pointer = (buffer: number): LaunchArgument => ({ kind: 'pointer', buffer, byteOffset: 0 });

export const launch = (entry: string, rest: Partial<Extract<PlanStep, { kind: 'launch' }>> = {}): PlanStep => ({
  kind: 'launch',
  entry,
  kernel: entry,
  grid: [3, 1, 1],
  block: [128, 1, 1],
  dynamicSharedBytes: 0,
  arguments: [pointer(0), pointer(1), { kind: 'bytes', hex: '2c010000' }],
  line: 1,
  ...rest,
});

/** One input `x`, one workspace `y` that is returned, and what is added. */
export const plan = (steps: PlanStep[], rest: Partial<Plan> = {}): Plan => ({
  buffers: [
    { id: 0, bytes: count * 4, kind: 'argument', argument: 0, name: 'x' },
    { id: 1, bytes: count * 4, kind: 'workspace', name: 'y' },
  ],
  steps,
  outputs: [vector(1)],
  ...rest,
});

export const floats = (values: ArrayLike<number>): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
export const toFloats = (bytes: Uint8Array): number[] => [...new Float32Array(Uint8Array.from(bytes).buffer)];
export const ramp = (from: number): Uint8Array => floats(Array.from({ length: count }, (_, index) => from + index));

export const call = (input: Uint8Array, rest: Partial<Call> = {}): Call => ({
  inputs: [input],
  poisonSeed: 1,
  resetGlobals: false,
  freshMemory: false,
  ...rest,
});
