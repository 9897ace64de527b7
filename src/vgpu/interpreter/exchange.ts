/**
 * Warp-wide exchanges: shfl, vote, match, redux, activemask, elect. The scheduler has gathered the lanes; `mask` holds those
 * that take part, and lanes named by the member mask but missing from it have exited or never existed.
 */
import { isSigned, type PtxFunction, type Warp as WarpInstruction } from '../ptx/ir.ts';
import { type Assembler, lanesWhere } from './assembler.ts';
import type { Step } from './lane-loops.ts';
import { Poison } from './poison.ts';
import { LANES, type Ref } from './registers.ts';
import { lowestLane, popcount, type Warp } from './warp.ts';

function at(ref: Ref, base: number): number {
  return ref.slot + (base & ref.mask);
}

/** What a lane gets from one that is not there: undefined in CUDA, and unlikely to pass for a result. */
const POISON = 0xfbfb_fbfb | 0;

export function exchangeStep(asm: Assembler, fn: PtxFunction, i: WarpInstruction): Step {
  switch (i.op) {
    case 'shfl':
      return shuffle(asm, fn, i);
    case 'vote':
      return vote(asm, fn, i);
    case 'match':
      return match(asm, fn, i);
    case 'redux':
      return reduce(asm, fn, i);
    case 'activemask': {
      const dst = asm.result(fn, i.dst[0], 'b32', i);
      return (warp, mask) => broadcast(asm, dst, warp, mask, mask);
    }
    case 'elect': {
      const dst = asm.destination(fn, i.dst[0], 'b32', i);
      const p = asm.predicateResult(fn, i.dst[1], i);
      return (warp, mask) => {
        const leader = lowestLane(mask);
        broadcast(asm, dst, warp, mask, leader);
        warp.predicates[p] = (warp.predicates[p]! & ~mask) | (1 << leader);
      };
    }
    case 'warpsync':
      return () => {};
  }
}

function broadcast(asm: Assembler, dst: Ref, warp: Warp, mask: number, value: number): void {
  const d = at(dst, warp.base);
  for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) if ((m & 1) !== 0) asm.file.i32[d + l] = value;
}

function shuffle(asm: Assembler, fn: PtxFunction, i: WarpInstruction): Step {
  const dst = asm.result(fn, i.dst[0], 'b32', i);
  const p = i.dst[1] === undefined ? undefined : asm.predicateResult(fn, i.dst[1], i);
  const a = asm.source(fn, i.src[0]!, 'b32', i);
  const b = asm.source(fn, i.src[1]!, 'b32', i);
  const c = asm.source(fn, i.src[2]!, 'b32', i);
  const { file } = asm;
  const values = new Int32Array(LANES);
  const { mode } = i;
  return (warp, mask) => {
    const r = file.i32;
    const { base } = warp;
    values.fill(POISON);
    for (let l = 0; l < LANES; l++) if (((mask >>> l) & 1) !== 0) values[l] = r[at(a, base) + l]!;
    let inRange = 0;
    const carried = warp.poison?.of(a.slot) ?? 0;
    let poisoned = 0;
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
      if ((m & 1) === 0) continue;
      // PTX ISA 9.7.9.6: c holds the clamp in bits 0-4 and the segment mask in bits 8-12.
      const operand = r[at(b, base) + l]! & 31;
      const control = r[at(c, base) + l]!;
      const clamp = control & 31;
      const segment = (control >>> 8) & 31;
      const maxLane = (l & segment) | (clamp & ~segment);
      const minLane = l & segment;
      let from: number;
      let valid: boolean;
      switch (mode) {
        case 'up':
          from = l - operand;
          valid = from >= maxLane;
          break;
        case 'down':
          from = l + operand;
          valid = from <= maxLane;
          break;
        case 'bfly':
          from = l ^ operand;
          valid = from <= maxLane;
          break;
        default:
          from = minLane | (operand & ~segment);
          valid = from <= maxLane;
      }
      if (!valid) from = l;
      else inRange |= 1 << l;
      if (((mask >>> from) & 1) === 0) {
        warp.poison ??= new Poison();
        warp.poison.begin(l, i, from);
        poisoned |= 1 << l;
      } else if (((carried >>> from) & 1) === 1) {
        if (from !== l) warp.poison?.follow(l, from);
        poisoned |= 1 << l;
      }
      r[at(dst, base) + l] = values[from]!;
    }
    if (p !== undefined) warp.predicates[p] = (warp.predicates[p]! & ~mask) | inRange;
    warp.poison?.set(dst.slot, mask, poisoned);
  };
}

function vote(asm: Assembler, fn: PtxFunction, i: WarpInstruction): Step {
  const source = asm.predicate(fn, i.src[0]!, i);
  if (i.mode === 'ballot') {
    const dst = asm.result(fn, i.dst[0], 'b32', i);
    return (warp, mask) => broadcast(asm, dst, warp, mask, lanesWhere(warp.predicates, source) & mask);
  }
  const p = asm.predicateResult(fn, i.dst[0], i);
  return (warp, mask) => {
    const yes = lanesWhere(warp.predicates, source) & mask;
    const holds = i.mode === 'all' ? yes === mask : i.mode === 'any' ? yes !== 0 : yes === 0 || yes === mask;
    warp.predicates[p] = (warp.predicates[p]! & ~mask) | (holds ? mask : 0);
  };
}

function match(asm: Assembler, fn: PtxFunction, i: WarpInstruction): Step {
  const dst = asm.destination(fn, i.dst[0], 'b32', i);
  const p = i.dst[1] === undefined ? undefined : asm.predicateResult(fn, i.dst[1], i);
  const a = asm.source(fn, i.src[0]!, i.type, i);
  const { file } = asm;
  const equals = new Int32Array(LANES);
  return (warp, mask) => {
    const r = file.i32;
    const x = at(a, warp.base);
    const same = (l: number, k: number): boolean =>
      a.words === 1 ? r[x + l] === r[x + k] : r[x + 2 * l] === r[x + 2 * k] && r[x + 2 * l + 1] === r[x + 2 * k + 1];
    let all = true;
    for (let l = 0; l < LANES; l++) {
      if (((mask >>> l) & 1) === 0) continue;
      let equal = 0;
      for (let k = 0; k < LANES; k++) if (((mask >>> k) & 1) !== 0 && same(l, k)) equal |= 1 << k;
      if (equal !== mask) all = false;
      equals[l] = equal;
    }
    if (i.mode === 'any') {
      // Only now: the result may take the place of the operand.
      for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) if ((m & 1) !== 0) r[at(dst, warp.base) + l] = equals[l]!;
      return;
    }
    broadcast(asm, dst, warp, mask, all ? mask : 0);
    if (p !== undefined) warp.predicates[p] = (warp.predicates[p]! & ~mask) | (all ? mask : 0);
  };
}

function reduce(asm: Assembler, fn: PtxFunction, i: WarpInstruction): Step {
  const dst = asm.result(fn, i.dst[0], i.type, i);
  const a = asm.source(fn, i.src[0]!, i.type, i);
  const signed = isSigned(i.type);
  const combine = (x: number, y: number): number => {
    switch (i.mode) {
      case 'add':
        return (x + y) | 0;
      case 'and':
        return x & y;
      case 'or':
        return x | y;
      case 'xor':
        return x ^ y;
      case 'min':
        return signed ? Math.min(x, y) : Math.min(x >>> 0, y >>> 0) | 0;
      default:
        return signed ? Math.max(x, y) : Math.max(x >>> 0, y >>> 0) | 0;
    }
  };
  return (warp, mask) => {
    const x = at(a, warp.base);
    let result: number | undefined;
    for (let l = 0; l < LANES; l++) {
      if (((mask >>> l) & 1) === 0) continue;
      const value = asm.file.i32[x + l]!;
      result = result === undefined ? value : combine(result, value);
    }
    broadcast(asm, dst, warp, mask, result ?? 0);
  };
}

/** Lanes of a mask, in words, for messages: `0-3, 7`. */
export function laneList(mask: number): string {
  const ranges: string[] = [];
  for (let l = 0; l < LANES; l++) {
    if (((mask >>> l) & 1) === 0) continue;
    let end = l;
    while (end + 1 < LANES && ((mask >>> (end + 1)) & 1) !== 0) end++;
    ranges.push(end === l ? `${l}` : `${l}-${end}`);
    l = end;
  }
  return `${popcount(mask) === 1 ? 'lane' : 'lanes'} ${ranges.join(', ')}`;
}
