/** mov (with packing and unpacking of vectors), cvta and isspacep. */
import { clockStart } from '../machine-facts.ts';
import { CLUSTER_RANK_SHIFT, COLOURS, GLOBAL_TAG, LOCAL_TAG, PARAM_TAG, SHARED_TAG } from '../memory-layout.ts';
import { type Move, type Operand, type PtxFunction, type PtxType, type Space, TYPE_BYTES } from '../ptx/ir.ts';
import { type Assembler, lanesWhere } from './assembler.ts';
import type { Step } from './lane-loops.ts';
import type { Ref, RegisterFile } from './registers.ts';

function at(ref: Ref, base: number): number {
  return ref.slot + (base & ref.mask);
}

export function moveStep(asm: Assembler, fn: PtxFunction, i: Move): Step {
  if (i.op === 'cvta') return convertAddress(asm, fn, i);
  if (i.op === 'isspacep') return testSpace(asm, fn, i);
  const source = i.src[0]!;
  const target = i.dst[0]!;
  if (i.type === 'pred' && source.kind === 'special') {
    const word = asm.special(source.register);
    const d = asm.predicateResult(fn, target, i);
    return (warp, mask) => {
      let set = 0;
      for (let l = 0; l < 32; l++) if (asm.file.i32[at(word, warp.base) + l] !== 0) set |= 1 << l;
      warp.predicates[d] = (warp.predicates[d]! & ~mask) | (set & mask);
    };
  }
  if (i.type === 'pred') {
    const p = asm.predicate(fn, source, i);
    const d = asm.predicateResult(fn, target, i);
    return (warp, mask) => {
      const { predicates } = warp;
      predicates[d] = (predicates[d]! & ~mask) | (lanesWhere(predicates, p) & mask);
    };
  }
  if (source.kind === 'vector' || target.kind === 'vector') return moveBytes(asm, fn, i, source, target);
  if (source.kind === 'special' && (source.register.startsWith('clock') || source.register.startsWith('globaltimer'))) {
    return readClock(asm, fn, i, source.register);
  }
  if (source.kind === 'symbol' && source.variable.owner === 'frame') {
    return frameAddress(asm.file, asm.destination(fn, target, i.type, i), frameOffset(fn, source), false);
  }
  const src = asm.value(fn, source, i.type, i);
  const dst = asm.result(fn, target, i.type, i);
  if (src.words < dst.words && source.kind !== 'special') throw asm.error(i, 'the source is narrower than the result');
  return copyWords(asm.file, dst, src);
}

function copyWords(file: RegisterFile, dst: Ref, src: Ref): Step {
  const { words } = dst;
  const step = src.words;
  if (words === 1 && step === 1) {
    return (warp, mask) => {
      const r = file.i32;
      const d = at(dst, warp.base);
      const x = at(src, warp.base);
      for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) if ((m & 1) !== 0) r[d + l] = r[x + l]!;
    };
  }
  return (warp, mask) => {
    const r = file.i32;
    const d = at(dst, warp.base);
    const x = at(src, warp.base);
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
      if ((m & 1) === 0) continue;
      for (let w = 0; w < words; w++) r[d + l * words + w] = w < step ? r[x + l * step + w]! : 0;
    }
  };
}

/** Offset of a local variable or frame parameter in its frame: locals first, then the parameters. */
export function frameOffset(fn: PtxFunction, operand: Extract<Operand, { kind: 'symbol' }>): number {
  const { variable, offset } = operand;
  return (variable.space === 'param' ? frameParamStart(fn) : 0) + variable.offset + offset;
}

/** Where `.param` variables start in a function's frame. */
export function frameParamStart(fn: PtxFunction): number {
  return Math.ceil(fn.localBytes / 16) * 16;
}

function frameAddress(file: RegisterFile, dst: Ref, offset: number, generic: boolean): Step {
  return (warp, mask) => {
    const r = file.i32;
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
      if ((m & 1) === 0) continue;
      const d = at(dst, warp.base) + l * dst.words;
      r[d] = warp.stack[l]! + offset;
      if (dst.words === 2) r[d + 1] = generic ? LOCAL_TAG : 0;
    }
  };
}

/** Clocks count the warp's own instructions, from where they stand when a block starts: deterministic, always advancing. */
function readClock(asm: Assembler, fn: PtxFunction, i: Move, name: string): Step {
  const dst = asm.result(fn, i.dst[0], i.type, i);
  const high = name.endsWith('_hi');
  const { file } = asm;
  const { start, betweenBlocks } = clockStart(name);
  return (warp, mask) => {
    const now = start + betweenBlocks * BigInt(warp.block.index) + BigInt(warp.clock);
    const [lowWord, highWord] = [Number(now & 0xffff_ffffn), Number(now >> 32n)];
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
      if ((m & 1) === 0) continue;
      const d = at(dst, warp.base) + l * dst.words;
      file.i32[d] = high ? highWord : lowWord;
      if (dst.words === 2) file.i32[d + 1] = highWord;
    }
  };
}

interface Piece {
  readonly ref: Ref;
  readonly bytes: number;
}

function pieces(asm: Assembler, fn: PtxFunction, i: Move, operand: Operand, isSource: boolean): Piece[] {
  if (operand.kind !== 'vector') {
    const ref = isSource ? asm.value(fn, operand, i.type, i) : asm.destination(fn, operand, i.type, i);
    return [{ ref, bytes: TYPE_BYTES[i.type] }];
  }
  const bytes = TYPE_BYTES[i.type] / operand.elements.length;
  const type: PtxType = bytes === 1 ? 'b8' : bytes === 2 ? 'b16' : bytes === 4 ? 'b32' : 'b64';
  return operand.elements.map((element) => ({
    ref: isSource ? asm.value(fn, element, type, i) : asm.destination(fn, element, type, i),
    bytes,
  }));
}

/** Packing and unpacking: the value as bytes, first element lowest. */
function moveBytes(asm: Assembler, fn: PtxFunction, i: Move, source: Operand, target: Operand): Step {
  const from = pieces(asm, fn, i, source, true);
  const to = pieces(asm, fn, i, target, false);
  const { file } = asm;
  const staging = new Uint8Array(16);
  const words = new Int32Array(staging.buffer);
  return (warp, mask) => {
    const r = file.i32;
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
      if ((m & 1) === 0) continue;
      let offset = 0;
      for (const { ref, bytes } of from) {
        const x = at(ref, warp.base) + l * ref.words;
        for (let b = 0; b < bytes; b++) staging[offset + b] = r[x + (b >>> 2)]! >>> (8 * (b & 3));
        offset += bytes;
      }
      offset = 0;
      for (const { ref, bytes } of to) {
        const d = at(ref, warp.base) + l * ref.words;
        if (bytes >= 4) for (let w = 0; w < bytes >>> 2; w++) r[d + w] = words[(offset >>> 2) + w]!;
        else r[d] = bytes === 1 ? staging[offset]! : staging[offset]! | (staging[offset + 1]! << 8);
        offset += bytes;
      }
    }
  };
}

const TAGS: Readonly<Partial<Record<Space, number>>> = { shared: SHARED_TAG, local: LOCAL_TAG, param: PARAM_TAG };

function convertAddress(asm: Assembler, fn: PtxFunction, i: Move): Step {
  const { file } = asm;
  const dst = asm.result(fn, i.dst[0], i.type, i);
  const operand = i.src[0]!;
  const tag = i.space === undefined ? undefined : TAGS[i.space];
  if (operand.kind === 'symbol' && operand.variable.owner === 'frame') {
    return frameAddress(file, dst, frameOffset(fn, operand), !i.toSpace);
  }
  const src = asm.source(fn, operand, i.type, i);
  if (tag === undefined || dst.words !== 2) return copyWords(file, dst, src);
  const high = i.toSpace ? 0 : tag;
  return (warp, mask) => {
    const r = file.i32;
    const d = at(dst, warp.base);
    const x = at(src, warp.base);
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
      if ((m & 1) === 0) continue;
      r[d + 2 * l] = r[x + 2 * l]!;
      r[d + 2 * l + 1] = high;
    }
  };
}

function testSpace(asm: Assembler, fn: PtxFunction, i: Move): Step {
  const src = asm.source(fn, i.src[0]!, 'u64', i);
  const dst = asm.predicateResult(fn, i.dst[0], i);
  const tag = i.space === undefined ? undefined : TAGS[i.space];
  const { file } = asm;
  return (warp, mask) => {
    let result = 0;
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
      if ((m & 1) === 0) continue;
      const high = file.i32[at(src, warp.base) + 2 * l + 1]!;
      const named = file.i32[at(src, warp.base) + 2 * l]! >>> CLUSTER_RANK_SHIFT;
      const ours = tag !== SHARED_TAG || i.clusterWide === true || named === 0 || named - 1 === warp.block.rank;
      const hit = tag === undefined ? high > GLOBAL_TAG && high <= GLOBAL_TAG + COLOURS : high === tag && ours;
      if (hit) result |= 1 << l;
    }
    warp.predicates[dst] = (warp.predicates[dst]! & ~mask) | result;
  };
}
