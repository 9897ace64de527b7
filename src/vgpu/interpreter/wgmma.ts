/**
 * wgmma: products of a warpgroup (four warps of one block), asynchronous. All four warps must have come to an mma_async
 * before it is executed, for all of them at once. The product is computed then; that its registers are not used before
 * wgmma.wait_group is watched by accumulators.ts.
 */
import * as math from '../math/index.ts';
import { type Operand, type PtxFunction, type PtxType, TYPE_BYTES, type Wgmma } from '../ptx/ir.ts';
import { operandSlots } from './accumulators.ts';
import { resolver } from './addressing.ts';
import type { Assembler } from './assembler.ts';
import type { Environment } from './environment.ts';
import { whereOf } from './environment.ts';
import type { Step } from './lane-loops.ts';
import { elementRefs, readElement, writeElement } from './matrix.ts';
import { LANES, type Ref } from './registers.ts';
import type { Warp } from './warp.ts';
import { type MatrixDescriptor, pieceAddress, readDescriptor } from './wgmma-descriptor.ts';

/** Warps of a warpgroup. */
export const WARPGROUP = 4;
const PIECE = 16;

/** Executes for the warps of a warpgroup at once. */
export type WarpgroupStep = (warps: readonly Warp[]) => void;

/** wgmma.fence, commit_group and wait_group: each warp for itself. */
export function wgmmaOrderStep(asm: Assembler, i: Wgmma): Step {
  const [keep] = i.src;
  if (i.operation === 'wait' && keep?.kind !== 'immediate') throw asm.error(i, 'the group count must be a number');
  const kept = keep?.kind === 'immediate' ? Number(keep.bits) : 0;
  return (warp) => {
    if (i.operation === 'fence') warp.accumulators.fenced = true;
    else if (i.operation === 'commit') warp.accumulators.commit();
    else warp.accumulators.wait(kept);
  };
}

/** A or B in shared memory: reads it into values. */
type MatrixReader = (warps: readonly Warp[], target: Float64Array) => void;

export function wgmmaStep(asm: Assembler, env: Environment, fn: PtxFunction, i: Wgmma): WarpgroupStep {
  const [m, n, k] = i.shape;
  const { d: dType, a: aType, b: bType } = i.types;
  const [aOperand, bOperand, scale, ...flags] = i.src;
  const flag = (index: number): number => {
    const operand = flags[index];
    if (operand === undefined) return 0;
    if (operand.kind !== 'immediate') throw asm.error(i, 'scales and transpositions must be numbers');
    return Number(BigInt.asIntN(32, operand.bits));
  };
  const inRegisters = aOperand?.kind === 'vector';
  const integers = dType === 's32';
  const expected = integers ? 0 : TYPE_BYTES[aType] === 2 ? (inRegisters ? 3 : 4) : 2;
  if (flags.length !== expected) throw asm.error(i, `${expected} numbers are needed after scale-d`);
  const [signA, signB] = integers ? [1, 1] : [flag(0), flag(1)];
  if (Math.abs(signA) !== 1 || Math.abs(signB) !== 1) throw asm.error(i, 'the scales of A and B are 1 or -1');
  const transposeA = !inRegisters && expected === 4 && flag(2) === 1;
  const transposeB = expected >= 3 && flag(expected - 1) === 1;
  const accumulate = asm.predicate(fn, scale!, i);
  const d = elementRefs(asm, fn, i, i.dst[0], dType, (16 * n) / LANES);
  const slots = operandSlots(asm, fn, i.dst);
  const a = new Float64Array(m * k);
  const b = new Float64Array(k * n);
  const c = new Float64Array(m * n);
  const readA = inRegisters
    ? registerReader(asm, fn, i, aOperand, aType, k)
    : sharedReader(asm, env, fn, i, aOperand, aType, m, k, transposeA, (row, column) => row * k + column);
  const readB = sharedReader(asm, env, fn, i, bOperand, bType, n, k, transposeB, (column, row) => row * n + column);
  const shape = { m, n, k };
  return (warps) => {
    const [first] = warps;
    requireFence(env, first!, i);
    readA(warps, a);
    readB(warps, b);
    if (signA < 0) for (let e = 0; e < a.length; e++) a[e] = -a[e]!;
    if (signB < 0) for (let e = 0; e < b.length; e++) b[e] = -b[e]!;
    const keeps = ((accumulate.index < 0 ? 0 : first!.predicates[accumulate.index]!) ^ accumulate.flip) !== 0;
    if (keeps) {
      eachAccumulator(n, (w, lane, index, at) => {
        c[at] = readElement(asm, d, dType, warps[w]!, lane, index);
      });
    } else c.fill(0);
    if (integers) math.mmaInteger(shape, a, b, c, c, i.saturate);
    else math.mmaFloat(shape, a, b, c, c, dType === 'f16' ? 'f16' : 'f32');
    eachAccumulator(n, (w, lane, index, at) => writeElement(asm, d, dType, warps[w]!, lane, index, c[at]!));
    for (const warp of warps) warp.accumulators.begin(slots, i);
  };
}

function requireFence(env: Environment, warp: Warp, i: Wgmma): void {
  if (warp.accumulators.fenced) return;
  env.fault(warp, 0, {
    kind: 'race',
    message: `${env.who(warp, 0)} executes ${i.op} at ${whereOf(i)} without a wgmma.fence before it: its registers may not be ready.`,
    instruction: i,
  });
}

/** Places of D (PTX ISA, "Register fragments for wgmma.mma_async"): 16 rows to a warp, blocks of 8 columns. */
function eachAccumulator(n: number, visit: (warp: number, lane: number, index: number, at: number) => void): void {
  for (let w = 0; w < WARPGROUP; w++) {
    for (let lane = 0; lane < LANES; lane++) {
      for (let index = 0; index < n / 2; index++) {
        const row = 16 * w + (lane >> 2) + 8 * ((index >> 1) & 1);
        const column = 8 * (index >> 2) + 2 * (lane & 3) + (index & 1);
        visit(w, lane, index, row * n + column);
      }
    }
  }
}

function registerReader(
  asm: Assembler,
  fn: PtxFunction,
  i: Wgmma,
  operand: Operand | undefined,
  type: PtxType,
  k: number,
): MatrixReader {
  const layout = math.mmaFragment({ m: 16, n: 8, k }, 'a', TYPE_BYTES[type] * 8);
  const refs = elementRefs(asm, fn, i, operand, type, layout.elements);
  return (warps, target) => {
    for (const [w, warp] of warps.entries()) {
      for (let lane = 0; lane < LANES; lane++) {
        for (let e = 0; e < layout.elements; e++) {
          const { row, column } = layout.place(lane, e);
          target[(16 * w + row) * k + column] = readElement(asm, refs, type, warp, lane, e);
        }
      }
    }
  };
}

/** Values of the elements in 16 bytes. */
function decoder(env: Environment, type: PtxType): (physical: number, index: number) => number {
  const { u8, u16, i32 } = env.memory;
  switch (type) {
    case 'f16':
      return (physical, index) => math.f16ToNumber(u16[(physical >>> 1) + index]!);
    case 'bf16':
      return (physical, index) => math.bf16ToNumber(u16[(physical >>> 1) + index]!);
    case 'tf32':
      return (physical, index) => math.readTf32(i32[(physical >>> 2) + index]!);
    case 'e4m3':
    case 'e5m2': {
      const value = math.fromFloat8(type);
      return (physical, index) => value(u8[physical + index]!);
    }
    case 's8':
      return (physical, index) => (u8[physical + index]! << 24) >> 24;
    default:
      return (physical, index) => u8[physical + index]!;
  }
}

function sharedReader(
  asm: Assembler,
  env: Environment,
  fn: PtxFunction,
  i: Wgmma,
  operand: Operand | undefined,
  type: PtxType,
  rows: number,
  k: number,
  transposed: boolean,
  place: (mn: number, k: number) => number,
): MatrixReader {
  const descriptor: Ref = asm.source(fn, operand!, 'b64', i);
  const resolve = resolver(env, { kind: 'read', bytes: PIECE, space: 'shared', at: i, fn }, undefined);
  const decode = decoder(env, type);
  const per = PIECE / TYPE_BYTES[type];
  const alongK = !transposed;
  const [lines, pieces] = alongK ? [rows, k / per] : [k, rows / per];
  const read = (warp: Warp, d: MatrixDescriptor, line: number, piece: number): number | undefined => {
    env.low[0] = pieceAddress(d, alongK, line, piece);
    env.high[0] = 0;
    if (resolve(warp, 1) === 0) return undefined;
    if (env.races !== undefined) {
      env.races.asyncProxyRead(warp, 0, PIECE, i);
      env.races.access(warp, 0, PIECE, 'read', false, 'sys', 'shared', i);
      env.races.settle();
    }
    return env.physical[0]!;
  };
  return (warps, target) => {
    const warp = warps[0]!;
    const at = descriptor.slot + (warp.base & descriptor.mask);
    const d = readDescriptor(asm.file.i32[at]!, asm.file.i32[at + 1]!);
    const words: number[] = [];
    for (let line = 0; line < lines; line++) {
      for (let piece = 0; piece < pieces; piece++) {
        const physical = read(warp, d, line, piece);
        if (env.profiler && physical !== undefined)
          for (let word = 0; word < PIECE; word += 4) words.push(physical + word);
        for (let e = 0; e < per; e++) {
          const along = piece * per + e;
          const value = physical === undefined ? Number.NaN : decode(physical, e);
          target[alongK ? place(line, along) : place(along, line)] = value;
        }
      }
    }
    env.profiler?.gathered(i, false, true, words, 4, warp);
  };
}
