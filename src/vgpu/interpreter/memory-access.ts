/** ld and st of every space, width and vector length. */
import { isSigned, type MemoryAccess, type Operand, type PtxFunction, TYPE_BYTES } from '../ptx/ir.ts';
import { addressStep, resolver } from './addressing.ts';
import type { Assembler } from './assembler.ts';
import type { Environment } from './environment.ts';
import type { Step } from './lane-loops.ts';
import type { Ref } from './registers.ts';

/** The step of a load or store. */
export function memoryStep(asm: Assembler, env: Environment, fn: PtxFunction, i: MemoryAccess): Step {
  const elementBytes = TYPE_BYTES[i.type];
  const bytes = elementBytes * i.vector;
  const [address] = i.src;
  const addresses = addressStep(asm, env, fn, address, i);
  const variable = address?.kind === 'address' && address.base.kind === 'variable' ? address.base.variable : undefined;
  const kind = i.op === 'ld' ? 'read' : 'write';
  // An access of 32 bytes is aligned to 32 and checked in halves.
  const checkBytes = Math.min(bytes, 16);
  const origin = asm.sharedOrigin(fn, i);
  const { clusterWide } = i;
  const access = { kind, bytes: checkBytes, space: i.space, at: i, fn, origin, clusterWide } as const;
  const resolve = resolver(env, access, variable);
  const value = i.op === 'ld' ? i.dst[0]! : i.src[1]!;
  const elements: readonly Operand[] = value.kind === 'vector' ? value.elements : [value];
  const refs = elements.map((element) =>
    i.op === 'ld' ? asm.destination(fn, element, i.type, i) : asm.value(fn, element, i.type, i),
  );
  for (const ref of refs)
    if (ref.words * 4 < elementBytes) throw asm.error(i, `${i.type} does not fit in its register`);
  const moves = refs.map((ref, index) =>
    i.op === 'ld'
      ? loadElement(asm, env, ref, elementBytes, isSigned(i.type), index * elementBytes)
      : storeElement(asm, env, ref, elementBytes, index * elementBytes),
  );
  const store = i.op === 'st';
  const strong = i.semantics !== 'weak';
  const space = i.space;
  return (warp, mask) => {
    addresses(warp, mask);
    let good = resolve(warp, mask);
    if (bytes === 32) good = secondHalf(env, resolve, warp, good);
    const { profiler, races } = env;
    if (profiler !== undefined) profiler.access(i, space, store, bytes, good, warp, env);
    if (races === undefined) {
      for (const move of moves) move(warp.base, good);
      return;
    }
    // Lane by lane, so that lanes of one store are compared with each other as well.
    for (let l = 0, m = good; m !== 0; l++, m >>>= 1) {
      if ((m & 1) === 0) continue;
      races.access(warp, l, bytes, store ? 'write' : 'read', strong, i.scope ?? 'sys', space, i);
      for (const move of moves) move(warp.base, 1 << l);
      races.settle();
    }
  };
}

function secondHalf(
  env: Environment,
  resolve: (warp: Parameters<Step>[0], mask: number) => number,
  warp: Parameters<Step>[0],
  mask: number,
): number {
  const first = env.physical.slice();
  for (let l = 0; l < 32; l++) env.low[l]! += 16;
  const good = resolve(warp, mask);
  for (let l = 0; l < 32; l++) env.low[l]! -= 16;
  env.physical.set(first);
  return good;
}

/** Moves one element of all lanes; `base` is the warp's block of registers. */
type Transfer = (base: number, mask: number) => void;

function loadElement(
  asm: Assembler,
  env: Environment,
  ref: Ref,
  bytes: number,
  signed: boolean,
  offset: number,
): Transfer {
  const { file } = asm;
  const { u8, u16, i32 } = env.memory;
  const { physical } = env;
  const { words } = ref;
  if (bytes === 4 && words === 1) {
    return (base, mask) => {
      const r = file.i32;
      const d = ref.slot + base;
      for (let l = 0, m = mask; m !== 0; l++, m >>>= 1)
        if ((m & 1) !== 0) r[d + l] = i32[(physical[l]! + offset) >>> 2]!;
    };
  }
  return (base, mask) => {
    const r = file.i32;
    const d = ref.slot + base;
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
      if ((m & 1) === 0) continue;
      const p = physical[l]! + offset;
      const slot = d + l * words;
      if (bytes >= 8) {
        for (let w = 0; w < bytes >>> 2; w++) r[slot + w] = i32[(p >>> 2) + w]!;
        continue;
      }
      let value: number;
      if (bytes === 4) value = i32[p >>> 2]!;
      else if (bytes === 2) value = signed ? (u16[p >>> 1]! << 16) >> 16 : u16[p >>> 1]!;
      else value = signed ? (u8[p]! << 24) >> 24 : u8[p]!;
      r[slot] = value;
      if (words === 2) r[slot + 1] = signed ? value >> 31 : 0;
    }
  };
}

function storeElement(asm: Assembler, env: Environment, ref: Ref, bytes: number, offset: number): Transfer {
  const { file } = asm;
  const { u8, u16, i32 } = env.memory;
  const { physical } = env;
  const { words } = ref;
  return (base, mask) => {
    const r = file.i32;
    const x = ref.slot + (base & ref.mask);
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
      if ((m & 1) === 0) continue;
      const p = physical[l]! + offset;
      const slot = x + l * words;
      if (bytes === 4) i32[p >>> 2] = r[slot]!;
      else if (bytes === 2) u16[p >>> 1] = r[slot]!;
      else if (bytes === 1) u8[p] = r[slot]!;
      else for (let w = 0; w < bytes >>> 2; w++) i32[(p >>> 2) + w] = r[slot + w]!;
    }
  };
}
