/**
 * Runs of loads from one base register with constant offsets (an unrolled loop's) are checked at once, where the first
 * stands. Within a block bounds do not change and initialised bytes stay so: what may be read at the first may be read at
 * the others. Where not all of a run may, each load decides for itself, out of line.
 */
import { GLOBAL_TAG } from '../../memory-layout.ts';
import type { Instruction, MemoryAccess } from '../../ptx/ir.ts';
import { TYPE_BYTES } from '../../ptx/ir.ts';
import type { Block, ControlFlow } from '../cfg.ts';
import { definitions, uses } from '../operands.ts';
import {
  addressOperand,
  placeFunction,
  pushAddress64,
  pushOffset32,
  pushWindow,
  stamp,
  transferOp,
} from '../scalar/memory.ts';
import { isUniform } from './classify.ts';
import type { SimdContext } from './context.ts';
import { elementsOf, gather, isContiguous, pushAside, transfer } from './memory.ts';

interface Run {
  readonly space: 'global' | 'shared';
  /** All lanes read the same place, or consecutive ones. */
  readonly form: 'uniform' | 'vector';
  /** Bytes that one lane reads. */
  readonly bytes: number;
  readonly members: { readonly index: number; readonly offset: number }[];
  /** Locals: where offset `first` of the run lies in memory; non-zero when its loads decide for themselves. */
  place: number;
  bad: number;
}

/** Bytes between the first and the last place of a run, at most. */
const MAX_SPAN = 16384;

/** Words stamped by one call, at most. */
const MAX_STAMPS = 16;

const firstOf = (run: Run): number => Math.min(...run.members.map((member) => member.offset));

/** The runs of a block by the instructions that take part. */
export function findRuns(context: SimdContext, flow: ControlFlow, block: Block): ReadonlyMap<number, Run> {
  const open = new Map<string, Run>();
  const all = new Map<number, Run>();
  const { instructions } = flow.kernel;
  for (let index = block.first; index < block.end; index++) {
    const instruction = instructions[index]!;
    const form = formOf(context, instruction);
    if (form) {
      const access = instruction as MemoryAccess;
      const { base, offset } = addressOperand(access);
      const bytes = TYPE_BYTES[access.type] * access.vector;
      const register = base.kind === 'register' ? base.id : -1;
      const key = [register, access.space, form, bytes, ((offset % bytes) + bytes) % bytes].join();
      let run = open.get(key);
      if (run?.members.some((member) => Math.abs(member.offset - offset) > MAX_SPAN)) run = undefined;
      if (!run) {
        run = { space: access.space as Run['space'], form, bytes, members: [], place: -1, bad: -1 };
        open.set(key, run);
      }
      run.members.push({ index, offset });
      all.set(index, run);
    }
    for (const id of definitions(instruction))
      for (const key of open.keys()) if (key.startsWith(`${id},`)) open.delete(key);
  }
  for (const [index, run] of all) if (run.members.length < 2) all.delete(index);
  return all;
}

function formOf(context: SimdContext, instruction: Instruction): Run['form'] | undefined {
  if (instruction.kind !== 'memory' || instruction.op !== 'ld' || instruction.guard) return undefined;
  if (instruction.space !== 'global' && instruction.space !== 'shared') return undefined;
  const size = TYPE_BYTES[instruction.type];
  const bytes = size * instruction.vector;
  const address = instruction.src[0];
  if (size < 4 || size > 8 || bytes > 16 || address?.kind !== 'address' || address.base.kind !== 'register')
    return undefined;
  const { scalar } = context;
  const wide = TYPE_BYTES[scalar.kernel.registers[address.base.id]!.type] === 8;
  if (wide !== (instruction.space === 'global')) return undefined;
  if (uses(instruction).every((id) => isUniform(context.classOf(id))))
    return definitions(instruction).every((id) => !context.isVarying(id)) ? 'uniform' : undefined;
  return isContiguous(context, instruction) ? 'vector' : undefined;
}

/** Emits a load that takes part in a run; the first of a run checks it. */
export function emitRunLoad(context: SimdContext, instruction: MemoryAccess, index: number, run: Run): void {
  const { code, scalar } = context;
  const address = addressOperand(instruction);
  if (run.place === -1) emitRunCheck(context, instruction, run);
  scalar.temp('i32', (place) => {
    code
      .get(run.place)
      .i32(run.members.find((member) => member.index === index)!.offset - firstOf(run))
      .op('i32.add')
      .set(place);
    code.get(run.bad).rarely();
    code.i32(scalar.unit.site(instruction));
    if (run.space === 'global') pushAddress64(scalar, address, true);
    else {
      pushOffset32(scalar, instruction, address, true);
      code.op('i64.extend_i32_u');
    }
    if (run.form === 'uniform') {
      code
        .get(scalar.thread)
        .call(placeFunction(scalar.unit, run.space, 'read', run.bytes))
        .set(place);
      stamp(scalar, instruction, run.bytes, place);
    } else {
      code
        .i64(BigInt(run.bytes))
        .get(scalar.thread)
        .call(gather(context, instruction, run.space, run.bytes));
      pushAside(context);
      code.set(place);
      const { races } = scalar.unit;
      if (races?.stampedSpace(instruction)) {
        code.else();
        code
          .get(place)
          .get(scalar.thread)
          .call(races.vector(run.space, 'read', run.bytes, context.lanes));
      }
    }
    code.end();
    if (run.form === 'vector') {
      transfer(context, instruction, place);
      return;
    }
    const size = TYPE_BYTES[instruction.type];
    elementsOf(instruction).forEach((element, at) => {
      if (element.kind === 'sink') return;
      code.get(place).memory(transferOp(instruction.type, 'load'), at * size, Math.log2(size));
      scalar.set(element, instruction.type);
    });
  });
}

/** Words of the run as [first, end), from its first place. */
function covered(context: SimdContext, run: Run): [number, number][] {
  const first = firstOf(run);
  const words = (run.form === 'vector' ? context.lanes * run.bytes : run.bytes) / 4;
  const found: [number, number][] = [];
  for (const { offset } of [...run.members].sort((a, b) => a.offset - b.offset)) {
    const start = (offset - first) / 4;
    const last = found[found.length - 1];
    if (last && last[1] >= start) last[1] = Math.max(last[1], start + words);
    else found.push([start, start + words]);
  }
  return found;
}

/** Sets the run's locals, where its first load stands. */
function emitRunCheck(context: SimdContext, instruction: MemoryAccess, run: Run): void {
  const { code, scalar } = context;
  const address = { ...addressOperand(instruction), offset: firstOf(run) };
  const words = covered(context, run);
  const span = 4 * words[words.length - 1]![1];
  run.place = code.local('i32');
  run.bad = code.local('i32');
  scalar.temp('i32', (expected) => {
    if (run.space === 'global')
      scalar.temp('i64', (a) => {
        pushAddress64(scalar, address, true);
        code.set(a).get(a).op('i32.wrap_i64').set(run.place);
        // The tag must be GLOBAL_TAG + 1 to 15, and the run must not reach past the end of all addresses.
        code.get(a).i64(32n).op('i64.shr_u').op('i32.wrap_i64').i32(GLOBAL_TAG).op('i32.sub').set(expected);
        code.get(expected).i32(1).op('i32.sub').i32(14).op('i32.gt_u');
        code.get(run.place).i32(-span).op('i32.gt_u').op('i32.or').set(run.bad);
        code.get(expected).i32(4).op('i32.shl').i32(15).op('i32.or').i32(0x01010101).op('i32.mul').set(expected);
      });
    else {
      pushOffset32(scalar, instruction, address, true);
      code.tee(run.place);
      const { sharedBytes } = scalar.unit.options;
      if (sharedBytes < span) code.op('drop').i32(1);
      else code.i32(sharedBytes - span).op('i32.gt_u');
      code.set(run.bad);
      code.get(run.place);
      pushWindow(scalar, 'shared');
      code.op('i32.add').set(run.place);
      code.i32(0x0f0f0f0f).set(expected);
    }
    code
      .get(run.bad)
      .get(run.place)
      .i32(run.bytes - 1)
      .op('i32.and')
      .op('i32.or')
      .set(run.bad);
    scalar.temp('i32', (shadow) => {
      code.get(run.place).i32(2).op('i32.shr_u').set(shadow);
      compareShadow(context, words, shadow, expected, run.bad);
    });
  });
  if (run.form === 'uniform') stampRun(context, instruction, run, words);
}

/** Stamps for the race filter: all that the lanes of a group read alike at once. */
function stampRun(context: SimdContext, instruction: MemoryAccess, run: Run, words: readonly [number, number][]): void {
  const { code, scalar } = context;
  const { races } = scalar.unit;
  if (!races?.stampedSpace(instruction)) return;
  code.get(run.bad).op('i32.eqz').if();
  for (const [first, end] of words)
    for (let at = first; at < end; at += MAX_STAMPS) {
      code
        .get(run.place)
        .i32(4 * at)
        .op('i32.add')
        .get(scalar.thread);
      code.call(races.warpRead(run.space, 4 * Math.min(MAX_STAMPS, end - at)));
    }
  code.end();
}

/** ORs into the local `bad` whether any of the words' shadow bytes differs from the expected one. */
function compareShadow(
  context: SimdContext,
  words: readonly [number, number][],
  shadow: number,
  expected: number,
  bad: number,
): void {
  const { code } = context;
  const vectors: number[] = [];
  const quads: number[] = [];
  const singles: number[] = [];
  for (const [first, end] of words) {
    let at = first;
    for (; at + 16 <= end; at += 16) vectors.push(at);
    if (at < end && end - first >= 16) vectors.push(end - 16);
    else {
      for (; at + 4 <= end; at += 4) quads.push(at);
      for (; at < end; at++) singles.push(at);
    }
  }
  if (vectors.length > 0)
    context.temp((whole) => {
      code.get(expected).op('i32x4.splat').set(whole);
      vectors.forEach((at, index) => {
        code.get(shadow).memory('v128.load', at, 0).get(whole).op('v128.xor');
        if (index > 0) code.op('v128.or');
      });
      code.op('v128.any_true').get(bad).op('i32.or').set(bad);
    });
  for (const at of quads)
    code.get(shadow).memory('i32.load', at, 0).get(expected).op('i32.xor').get(bad).op('i32.or').set(bad);
  for (const at of singles) {
    code.get(shadow).memory('i32.load8_u', at, 0).get(expected).i32(0xff).op('i32.and').op('i32.xor');
    code.get(bad).op('i32.or').set(bad);
  }
}
