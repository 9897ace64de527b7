/** atom and red: read-modify-write, lane after lane in lane order. */
import * as math from '../math/index.ts';
import { type Atomic, isSigned, type Operand, type PtxFunction, type PtxType, TYPE_BYTES } from '../ptx/ir.ts';
import { addressStep, resolver } from './addressing.ts';
import type { Assembler } from './assembler.ts';
import type { Environment } from './environment.ts';
import type { Step } from './lane-loops.ts';

type Update = (old: bigint, operand: bigint, swap: bigint) => bigint;

export function atomicStep(asm: Assembler, env: Environment, fn: PtxFunction, i: Atomic): Step {
  const elementBytes = TYPE_BYTES[i.type];
  const bytes = elementBytes * i.vector;
  if (bytes > 16) throw asm.error(i, 'an atomic of more than 16 bytes is not supported');
  const addresses = addressStep(asm, env, fn, i.src[0], i);
  const origin = asm.sharedOrigin(fn, i);
  const access = { kind: 'atomic', bytes, space: i.space, at: i, fn, origin, clusterWide: i.clusterWide } as const;
  const resolve = resolver(env, access, undefined);
  const list = (operand: Operand | undefined): readonly Operand[] =>
    operand === undefined ? [] : operand.kind === 'vector' ? operand.elements : [operand];
  const operands = list(i.src[1]).map((operand) => asm.value(fn, operand, i.type, i));
  const swaps = list(i.src[2]).map((operand) => asm.value(fn, operand, i.type, i));
  const results = list(i.dst[0]).map((operand) => asm.destination(fn, operand, i.type, i));
  if (operands.length !== i.vector) throw asm.error(i, `${i.vector} values are needed`);
  const update = i.type === 'u32' || i.type === 's32' || i.type === 'b32' ? undefined : updateOf(asm, i);
  const update32 = update === undefined ? updateWord(asm, i) : undefined;
  const { file } = asm;
  const { u8, i32 } = env.memory;
  return (warp, mask) => {
    addresses(warp, mask);
    const good = resolve(warp, mask);
    env.profiler?.atomic(i, i.space, bytes, good, warp, env);
    const r = file.i32;
    const { base } = warp;
    for (let l = 0, m = good; m !== 0; l++, m >>>= 1) {
      if ((m & 1) === 0) continue;
      const p = env.physical[l]!;
      env.races?.access(warp, l, bytes, 'atomic', true, i.scope, i.space, i);
      if (update32 !== undefined) {
        const operand = r[operands[0]!.slot + (base & operands[0]!.mask) + l]!;
        const swap = swaps.length === 0 ? 0 : r[swaps[0]!.slot + (base & swaps[0]!.mask) + l]!;
        const old = i32[p >>> 2]!;
        const value = update32(old, operand, swap);
        if (value !== old) env.atomicChanges++;
        i32[p >>> 2] = value;
        if (results.length > 0) r[results[0]!.slot + base + l * results[0]!.words] = old;
        continue;
      }
      for (let e = 0; e < i.vector; e++) {
        const at = p + e * elementBytes;
        const read = (ref: (typeof operands)[number] | undefined): bigint =>
          ref === undefined ? 0n : readBits(r, ref.slot + (base & ref.mask) + l * ref.words, elementBytes);
        const old = loadBits(u8, at, elementBytes);
        const value = update!(old, read(operands[e]), read(swaps[e]));
        if (value !== old) env.atomicChanges++;
        storeBits(u8, at, elementBytes, value);
        const result = results[e];
        if (result !== undefined) {
          const d = result.slot + base + l * result.words;
          for (let w = 0; w < result.words; w++) r[d + w] = Number(BigInt.asIntN(32, old >> BigInt(32 * w)));
        }
      }
    }
    env.races?.settle();
  };
}

export function readBits(r: Int32Array, slot: number, bytes: number): bigint {
  let bits = 0n;
  for (let w = 0; w < Math.ceil(bytes / 4); w++) bits |= BigInt(r[slot + w]! >>> 0) << BigInt(32 * w);
  return BigInt.asUintN(bytes * 8, bits);
}

export function loadBits(u8: Uint8Array, at: number, bytes: number): bigint {
  let bits = 0n;
  for (let b = bytes - 1; b >= 0; b--) bits = (bits << 8n) | BigInt(u8[at + b]!);
  return bits;
}

export function storeBits(u8: Uint8Array, at: number, bytes: number, bits: bigint): void {
  for (let b = 0; b < bytes; b++) u8[at + b] = Number((bits >> BigInt(8 * b)) & 0xffn);
}

function updateWord(asm: Assembler, i: Atomic): (old: number, operand: number, swap: number) => number {
  const signed = isSigned(i.type);
  switch (i.operation) {
    case 'add':
      return (old, operand) => (old + operand) | 0;
    case 'exch':
      return (_old, operand) => operand;
    case 'cas':
      return (old, operand, swap) => (old === operand ? swap : old);
    case 'inc':
      return (old, operand) => (old >>> 0 >= operand >>> 0 ? 0 : old + 1);
    case 'dec':
      return (old, operand) => (old === 0 || old >>> 0 > operand >>> 0 ? operand : old - 1);
    case 'min':
      return signed ? (old, operand) => math.minS32(old, operand) : math.minU32;
    case 'max':
      return signed ? (old, operand) => math.maxS32(old, operand) : math.maxU32;
    case 'and':
      return (old, operand) => old & operand;
    case 'or':
      return (old, operand) => old | operand;
    case 'xor':
      return (old, operand) => old ^ operand;
    default:
      throw asm.error(i, `atomic ${i.operation} is not supported`);
  }
}

function updateOf(asm: Assembler, i: Atomic): Update {
  const update = elementUpdate(i.operation, i.type);
  if (update === undefined) throw asm.error(i, `atomic ${i.operation} on ${i.type} is not supported`);
  return update;
}

/** One update of an element, on its bits; undefined where there is none of this type. */
export function elementUpdate(operation: Atomic['operation'], type: PtxType): Update | undefined {
  switch (operation) {
    case 'exch':
      return (_old, operand) => operand;
    case 'cas':
      return (old, operand, swap) => (old === operand ? swap : old);
    case 'and':
      return (old, operand) => old & operand;
    case 'or':
      return (old, operand) => old | operand;
    case 'xor':
      return (old, operand) => old ^ operand;
    case 'inc':
      return type === 'u32' ? (old, operand) => (old >= operand ? 0n : old + 1n) : undefined;
    case 'dec':
      return type === 'u32' ? (old, operand) => (old === 0n || old > operand ? operand : old - 1n) : undefined;
    default: {
      const bits = TYPE_BYTES[type] * 8;
      const f = combine(type, operation);
      return f && ((old, operand) => BigInt.asUintN(bits, f(old, operand)));
    }
  }
}

function combine(type: PtxType, operation: 'add' | 'min' | 'max'): ((a: bigint, b: bigint) => bigint) | undefined {
  const words = (f: (a: number, b: number) => number): ((a: bigint, b: bigint) => bigint) => {
    return (a, b) => BigInt(f(Number(a), Number(b)) >>> 0);
  };
  switch (type) {
    case 'u32':
      if (operation === 'add') return (a, b) => a + b;
      return operation === 'min' ? words(math.minU32) : words(math.maxU32);
    case 's32':
      if (operation === 'add') return (a, b) => a + b;
      return words((a, b) => (operation === 'min' ? math.minS32(a | 0, b | 0) : math.maxS32(a | 0, b | 0)));
    case 'u64':
      return operation === 'add' ? math.add64i : operation === 'min' ? math.minU64 : math.maxU64;
    case 's64':
      return operation === 'add' ? math.add64i : operation === 'min' ? math.minS64 : math.maxS64;
    case 'f32': {
      // atom.add.f32 on global memory flushes subnormals on some hardware and not on shared; PTX allows either: none here.
      const f = math.binary32('add', { rounding: 'rn' });
      return operation === 'add'
        ? (a, b) => BigInt(math.f32ToBits(f(math.f32FromBits(Number(a)), math.f32FromBits(Number(b)))) >>> 0)
        : undefined;
    }
    case 'f64':
      return operation === 'add' ? (a, b) => math.f64ToBits(math.f64FromBits(a) + math.f64FromBits(b)) : undefined;
    case 'f16':
    case 'bf16':
      return words(operation === 'add' ? math.binaryHalf('add', type) : math.minMaxHalf(operation, type));
    case 'f16x2':
    case 'bf16x2': {
      const half = type === 'f16x2' ? 'f16' : 'bf16';
      return words(math.packed2(operation === 'add' ? math.binaryHalf('add', half) : math.minMaxHalf(operation, half)));
    }
    default:
      return undefined;
  }
}
