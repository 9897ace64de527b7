/** Tensor-core instructions: wmma.load/store/mma, mma.sync, ldmatrix, stmatrix. The whole warp takes part. */
import * as math from '../math/index.ts';
import { type Instruction, type Matrix, type Operand, type PtxFunction, type PtxType, TYPE_BYTES } from '../ptx/ir.ts';
import { type Access, addressStep, resolver } from './addressing.ts';
import type { Assembler } from './assembler.ts';
import { type Environment, raceAccess } from './environment.ts';
import type { Step } from './lane-loops.ts';
import { LANES, type Ref } from './registers.ts';
import type { Warp } from './warp.ts';

export function matrixStep(asm: Assembler, env: Environment, fn: PtxFunction, i: Matrix): Step {
  switch (i.operation) {
    case 'mma':
      return multiplyStep(asm, env, fn, i);
    case 'ldmatrix':
    case 'stmatrix':
      return rowsStep(asm, env, fn, i);
    default:
      return fragmentStep(asm, env, fn, i);
  }
}

function shapeOf(i: Matrix): math.MatrixShape {
  return { m: i.shape[0], n: i.shape[1], k: i.shape[2] };
}

const E4M3 = math.fromFloat8('e4m3');
const E5M2 = math.fromFloat8('e5m2');

/** Elements of a type in one register. */
function perRegister(type: PtxType): number {
  return Math.max(1, 32 / (math.ELEMENT_BITS[type] ?? 8 * TYPE_BYTES[type]));
}

export function elementRefs(
  asm: Assembler,
  fn: PtxFunction,
  i: Instruction,
  operand: Operand | undefined,
  type: PtxType,
  elements: number,
): Ref[] {
  const list = operand?.kind === 'vector' ? operand.elements : operand === undefined ? [] : [operand];
  const needed = Math.ceil(elements / perRegister(type));
  if (list.length !== needed)
    throw asm.error(i, `a fragment of ${needed} registers is needed, ${list.length} are given`);
  const words: PtxType = type === 'f64' ? 'b64' : 'b32';
  return list.map((element) => asm.source(fn, element, words, i));
}

/** Reads element `index` of a lane's fragment as a value. */
export function readElement(
  asm: Assembler,
  refs: readonly Ref[],
  type: PtxType,
  warp: Warp,
  lane: number,
  index: number,
): number {
  const per = perRegister(type);
  const ref = refs[Math.floor(index / per)]!;
  const at = ref.slot + (warp.base & ref.mask);
  const j = index % per;
  switch (type) {
    case 'f64':
      return asm.file.f64[(at >>> 1) + lane]!;
    case 'f32':
      return asm.file.f32[at + lane]!;
    case 'tf32':
      return math.readTf32(asm.file.i32[at + lane]!);
    case 'f16':
      return math.f16ToNumber((asm.file.i32[at + lane]! >>> (16 * j)) & 0xffff);
    case 'bf16':
      return math.bf16ToNumber((asm.file.i32[at + lane]! >>> (16 * j)) & 0xffff);
    case 'e4m3':
      return E4M3((asm.file.i32[at + lane]! >>> (8 * j)) & 0xff);
    case 'e5m2':
      return E5M2((asm.file.i32[at + lane]! >>> (8 * j)) & 0xff);
    case 'b1':
      return (asm.file.i32[at + lane]! >>> j) & 1;
    case 's8':
    case 'u8':
    case 's4':
    case 'u4':
      return math.integerElement(asm.file.i32[at + lane]!, j, type);
    default:
      return asm.file.i32[at + lane]!;
  }
}

export function writeElement(
  asm: Assembler,
  refs: readonly Ref[],
  type: PtxType,
  warp: Warp,
  lane: number,
  index: number,
  value: number,
): void {
  const per = perRegister(type);
  const ref = refs[Math.floor(index / per)]!;
  const at = ref.slot + warp.base;
  switch (type) {
    case 'f64':
      asm.file.f64[(at >>> 1) + lane] = value;
      break;
    case 'f32':
      asm.file.f32[at + lane] = value;
      break;
    case 'f16': {
      const shift = 16 * (index % per);
      const word = asm.file.i32[at + lane]!;
      asm.file.i32[at + lane] = (word & ~(0xffff << shift)) | (math.numberToF16(value) << shift);
      break;
    }
    default:
      asm.file.i32[at + lane] = value;
  }
}

function layoutOf(i: Matrix, fragment: math.FragmentName): math.FragmentLayout {
  const shape = shapeOf(i);
  if (i.op === 'wmma') return math.wmmaFragment(shape, fragment, wmmaType(i));
  return math.mmaFragment(shape, fragment, math.ELEMENT_BITS[i.types.a] ?? 8 * TYPE_BYTES[i.types.a]);
}

/** The operand type that names a wmma shape: that of A and B, which C's load and store do not tell. */
function wmmaType(i: Matrix): string {
  const [, , k] = i.shape;
  if (i.operation === 'mma') return i.types.a;
  if (i.operation === 'load-c' || i.operation === 'store-d') return k === 8 ? 'tf32' : k === 4 ? 'f64' : 'f16';
  return k === 8 ? 'tf32' : i.types.d;
}

function multiplyStep(asm: Assembler, env: Environment, fn: PtxFunction, i: Matrix): Step {
  const shape = shapeOf(i);
  const { m, n, k } = shape;
  const layouts = { a: layoutOf(i, 'a'), b: layoutOf(i, 'b'), c: layoutOf(i, 'c') };
  const a = elementRefs(asm, fn, i, i.src[0], i.types.a, layouts.a.elements);
  const b = elementRefs(asm, fn, i, i.src[1], i.types.b, layouts.b.elements);
  const c = elementRefs(asm, fn, i, i.src[2], i.types.c, layouts.c.elements);
  const d = elementRefs(asm, fn, i, i.dst[0], i.types.d, layouts.c.elements);
  const matrices = {
    a: new Float64Array(m * k),
    b: new Float64Array(k * n),
    c: new Float64Array(m * n),
    d: new Float64Array(m * n),
  };
  const integers = /^[su][48]$/.test(i.types.a);
  const { bitOperation } = i;
  return (warp, mask) => {
    requireWholeWarp(env, i, warp, mask);
    const gather = (target: Float64Array, refs: readonly Ref[], type: PtxType, layout: math.FragmentLayout): void => {
      for (let lane = 0; lane < LANES; lane++) {
        for (let e = 0; e < layout.elements; e++) {
          const { row, column } = layout.place(lane, e);
          target[row * layout.columns + column] = readElement(asm, refs, type, warp, lane, e);
        }
      }
    };
    gather(matrices.a, a, i.types.a, layouts.a);
    gather(matrices.b, b, i.types.b, layouts.b);
    gather(matrices.c, c, i.types.c, layouts.c);
    if (bitOperation !== undefined) {
      math.mmaBit(shape, matrices.a, matrices.b, matrices.c, matrices.d, bitOperation);
    } else if (i.types.a === 'f64') math.mmaF64(shape, matrices.a, matrices.b, matrices.c, matrices.d);
    else if (integers) math.mmaInteger(shape, matrices.a, matrices.b, matrices.c, matrices.d, i.saturate);
    else math.mmaFloat(shape, matrices.a, matrices.b, matrices.c, matrices.d, i.types.d === 'f16' ? 'f16' : 'f32');
    for (let lane = 0; lane < LANES; lane++) {
      for (let e = 0; e < layouts.c.elements; e++) {
        const { row, column } = layouts.c.place(lane, e);
        writeElement(asm, d, i.types.d, warp, lane, e, matrices.d[row * n + column]!);
      }
    }
  };
}

function requireWholeWarp(env: Environment, i: Matrix, warp: Warp, mask: number): void {
  if (mask === -1) return;
  env.fault(warp, 31 - Math.clz32(mask & -mask), {
    kind: 'absent-lane',
    message: `${i.op} needs all 32 lanes of the warp; some have exited or never existed.`,
    instruction: i,
  });
}

/** wmma.load and wmma.store: every lane reaches its own elements. */
function fragmentStep(asm: Assembler, env: Environment, fn: PtxFunction, i: Matrix): Step {
  const store = i.operation === 'store-d';
  const fragment = i.operation === 'load-a' ? 'a' : i.operation === 'load-b' ? 'b' : 'c';
  const layout = layoutOf(i, fragment);
  const type = i.types.d;
  const bytes = TYPE_BYTES[type];
  const refs = elementRefs(asm, fn, i, store ? i.src[1] : i.dst[0], type, layout.elements);
  const addresses = addressStep(asm, env, fn, i.src[0], i);
  const strideOperand = store ? i.src[2] : i.src[1];
  const stride = strideOperand === undefined ? undefined : asm.value(fn, strideOperand, 'u32', i);
  const access: Access = { kind: store ? 'write' : 'read', bytes, space: i.space, at: i, fn };
  const resolve = resolver(env, access, undefined);
  const byRow = i.layout === 'row';
  const per = perRegister(type);
  const { u8 } = env.memory;
  return (warp, mask) => {
    requireWholeWarp(env, i, warp, mask);
    addresses(warp, mask);
    const low = env.low.slice();
    const high = env.high.slice();
    const touched: number[] = [];
    for (let e = 0; e < layout.elements; e++) {
      for (let lane = 0; lane < LANES; lane++) {
        const { row, column } = layout.place(lane, e);
        const ld =
          stride === undefined
            ? byRow
              ? layout.columns
              : layout.rows
            : asm.file.i32[stride.slot + (warp.base & stride.mask) + lane * stride.words]!;
        const offset = (byRow ? row * ld + column : column * ld + row) * bytes;
        const sum = low[lane]! + offset;
        env.low[lane] = sum;
        env.high[lane] = high[lane]! + (sum > 0xffff_ffff ? 1 : 0);
      }
      const good = resolve(warp, mask);
      raceAccess(env, warp, good, bytes, store ? 'write' : 'read', i.space, i);
      for (let lane = 0; lane < LANES; lane++) {
        if (((good >>> lane) & 1) === 0) continue;
        const p = env.physical[lane]!;
        touched.push(p);
        const ref = refs[Math.floor(e / per)]!;
        const slot = ref.slot + warp.base + lane * ref.words;
        const shift = (e % per) * bytes * 8;
        for (let b = 0; b < bytes; b++) {
          const word = slot + ((shift + 8 * b) >>> 5);
          const bit = (shift + 8 * b) & 31;
          if (store) u8[p + b] = asm.file.i32[word]! >>> bit;
          else asm.file.i32[word] = (asm.file.i32[word]! & ~(0xff << bit)) | (u8[p + b]! << bit);
        }
      }
    }
    env.profiler?.gathered(i, store, i.space === 'shared' || high[0] === 0x7e00, touched, bytes, warp);
  };
}

/** ldmatrix and stmatrix: rows of 16 bytes whose addresses come from lanes, spread over the warp's registers. */
function rowsStep(asm: Assembler, env: Environment, fn: PtxFunction, i: Matrix): Step {
  const store = i.op === 'stmatrix';
  const addresses = addressStep(asm, env, fn, i.src[0], i);
  const value = store ? i.src[1] : i.dst[0];
  const refs = elementRefs(asm, fn, i, value, 'b16', i.count * 2);
  const resolve = resolver(env, { kind: store ? 'write' : 'read', bytes: 16, space: 'shared', at: i, fn }, undefined);
  const lanes = i.count === 4 ? -1 : (1 << (8 * i.count)) - 1;
  const { u16 } = env.memory;
  return (warp, mask) => {
    requireWholeWarp(env, i, warp, mask);
    addresses(warp, mask);
    const good = resolve(warp, lanes);
    env.profiler?.access(i, 'shared', store, 16, good, warp, env);
    raceAccess(env, warp, good, 16, store ? 'write' : 'read', 'shared', i);
    for (let lane = 0; lane < LANES; lane++) {
      for (let r = 0; r < i.count; r++) {
        const ref = refs[r]!;
        const slot = ref.slot + warp.base + lane;
        for (const j of [0, 1] as const) {
          const { row, column } = math.ldmatrixPlace(lane, j, i.transposed);
          const from = math.ldmatrixAddressLane(r, row);
          if (((good >>> from) & 1) === 0) continue;
          const at = (env.physical[from]! >>> 1) + column;
          const shift = 16 * j;
          if (store) u16[at] = asm.file.i32[slot]! >>> shift;
          else asm.file.i32[slot] = (asm.file.i32[slot]! & ~(0xffff << shift)) | (u16[at]! << shift);
        }
      }
    }
  };
}
