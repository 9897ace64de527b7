/**
 * What the lanes of a group have in common, register by register. A group is L consecutive threads that run in lockstep:
 * - uniform: all lanes hold one value. It is kept once, in a scalar local.
 * - affine: lane i holds base + stride * i. The base is kept, and address arithmetic is scalar.
 * - varying: each lane has its own value, in vectors.
 *
 * Within a region a group never parts (lanes that would part are run by scalar code to the next synchronisation), so a
 * value computed from uniform ones is uniform wherever it is computed. Across synchronisations that does not hold: lanes
 * may have come on different ways. So a register that keeps across one what it got in a block that some lanes may
 * skip is varying.
 */

import { dominatorTree, type Graph } from '../../analysis/dominators.ts';
import type { Instruction, Operand } from '../../ptx/ir.ts';
import { isFloat, isSigned, TYPE_BYTES } from '../../ptx/ir.ts';
import type { Dim3 } from '../../types.ts';
import { type ControlFlow, successors } from '../cfg.ts';
import type { BitSet } from '../liveness.ts';
import { definitions, uses } from '../operands.ts';
import type { RegisterFacts } from '../registers.ts';

/** Uniform is affine with stride 0. `align`: a power of two that divides the base (1 when nothing is known). */
export interface Affine {
  readonly stride: number;
  readonly align: number;
}

export type LaneClass = Affine | 'varying';

const MAX_ALIGN = 2 ** 30;
const UNIFORM: Affine = { stride: 0, align: 1 };

export interface Classification {
  /** By register. Registers never written count as uniform. */
  readonly classes: readonly LaneClass[];
  /** The class of a source operand. */
  operand(operand: Operand | undefined): LaneClass;
  /** Conversions of 32-bit affine values to 64 bits: right only while the lanes' values do not wrap around. */
  readonly extensions: ReadonlySet<number>;
}

export const isUniform = (item: LaneClass): boolean => item !== 'varying' && item.stride === 0;

const lowBit = (value: bigint): number => {
  if (value === 0n) return MAX_ALIGN;
  const bit = value & -value;
  return bit >= BigInt(MAX_ALIGN) ? MAX_ALIGN : Number(bit);
};

function join(a: LaneClass | undefined, b: LaneClass): LaneClass {
  if (a === undefined) return b;
  if (a === 'varying' || b === 'varying' || a.stride !== b.stride) return 'varying';
  return { stride: a.stride, align: Math.min(a.align, b.align) };
}

const same = (a: LaneClass | undefined, b: LaneClass): boolean =>
  a === b || (a !== undefined && a !== 'varying' && b !== 'varying' && a.stride === b.stride && a.align === b.align);

export function classify(
  flow: ControlFlow,
  facts: RegisterFacts,
  live: readonly BitSet[],
  block: Dim3,
  lanes: number,
  addressAlign: (operand: Operand & { kind: 'symbol' }) => bigint,
): Classification {
  const { kernel, blocks } = flow;
  const classes: (LaneClass | undefined)[] = new Array(kernel.registers.length).fill(undefined);
  const forced = new Uint8Array(kernel.registers.length);
  const extensions = new Set<number>();

  const operandClass = (operand: Operand | undefined): LaneClass | undefined => {
    if (!operand) return UNIFORM;
    switch (operand.kind) {
      case 'immediate':
        return { stride: 0, align: lowBit(operand.bits) };
      case 'symbol':
        return { stride: 0, align: lowBit(addressAlign(operand)) };
      case 'register': {
        const constant = facts.constant.get(operand.id);
        if (constant !== undefined) return { stride: 0, align: lowBit(constant) };
        return classes[operand.id];
      }
      case 'predicate':
        return classes[operand.id];
      case 'special':
        return specialClass(operand.register);
      case 'address':
        return operand.base.kind === 'register' ? classes[operand.base.id] : UNIFORM;
      case 'vector': {
        let whole: LaneClass | undefined = UNIFORM;
        for (const element of operand.elements) {
          const item = operandClass(element);
          if (item === undefined) return undefined;
          if (!isUniform(item)) whole = 'varying';
        }
        return whole;
      }
      default:
        return UNIFORM;
    }
  };

  const specialClass = (register: string): LaneClass => {
    switch (register) {
      case 'tid.x':
        return { stride: 1, align: lanes };
      case 'tid.y':
      case 'tid.z':
      case 'warpid':
        return UNIFORM;
      case 'ntid.x':
        return { stride: 0, align: lowBit(BigInt(block[0])) };
      case 'laneid':
        return { stride: 1, align: lanes };
      default:
        return register.startsWith('lanemask') ? 'varying' : UNIFORM;
    }
  };

  const transfer = (instruction: Instruction, index: number): LaneClass | undefined => {
    const guard = instruction.guard ? classes[instruction.guard.register] : UNIFORM;
    if (guard === undefined) return undefined;
    if (!isUniform(guard)) return 'varying';
    switch (instruction.kind) {
      case 'memory': {
        if (instruction.op !== 'ld') return UNIFORM;
        const address = operandClass(instruction.src[0]);
        if (address === undefined) return undefined;
        if (instruction.space === 'param') return isUniform(address) ? UNIFORM : 'varying';
        const fixed =
          isUniform(address) &&
          instruction.semantics === 'weak' &&
          (instruction.space === 'global' || instruction.space === 'shared' || instruction.space === 'const');
        return fixed ? UNIFORM : 'varying';
      }
      case 'barrier':
        return UNIFORM;
      case 'warp': {
        const members = instruction.members;
        const bits =
          members?.kind === 'immediate'
            ? members.bits
            : members?.kind === 'register'
              ? facts.constant.get(members.id)
              : undefined;
        const whole = bits !== undefined && BigInt.asUintN(32, bits) === 0xffffffffn;
        return whole && (instruction.op === 'vote' || instruction.op === 'redux') ? UNIFORM : 'varying';
      }
      case 'arithmetic':
        // The carry is a hidden operand, and may differ between lanes.
        return readsCarry(instruction) ? 'varying' : pure(instruction, index);
      case 'compare':
      case 'convert':
      case 'move':
        return pure(instruction, index);
      default:
        return 'varying';
    }
  };

  const pure = (
    instruction: Instruction & { kind: 'arithmetic' | 'compare' | 'convert' | 'move' },
    index: number,
  ): LaneClass | undefined => {
    const sources = instruction.src.map(operandClass);
    if (sources.some((item) => item === undefined)) return undefined;
    const known = sources as LaneClass[];
    if (known.includes('varying')) return 'varying';
    const linear = linearClass(instruction, known as Affine[], index);
    if (linear) return linear;
    return known.every(isUniform) ? UNIFORM : 'varying';
  };

  const constantOf = (operand: Operand | undefined): bigint | undefined =>
    operand?.kind === 'immediate'
      ? operand.bits
      : operand?.kind === 'register'
        ? facts.constant.get(operand.id)
        : undefined;

  /** Instructions that keep lanes affine; undefined for all others. */
  const linearClass = (
    instruction: Instruction & { kind: 'arithmetic' | 'compare' | 'convert' | 'move' },
    known: readonly Affine[],
    index: number,
  ): Affine | undefined => {
    const [a, b, c] = known;
    if (!a || instruction.dst.length !== 1 || instruction.dst[0]!.kind === 'vector') return undefined;
    if (instruction.kind === 'move') {
      if (instruction.op === 'cvta') return a;
      if (
        instruction.op !== 'mov' ||
        instruction.src[0]!.kind === 'vector' ||
        isFloat(instruction.type) ||
        instruction.type === 'pred'
      )
        return undefined;
      return TYPE_BYTES[instruction.type] >= 4 || a.stride === 0 ? a : undefined;
    }
    if (instruction.kind === 'convert') {
      const { to, from } = instruction;
      if (isFloat(to) || isFloat(from) || instruction.sat) return undefined;
      if (TYPE_BYTES[to] === 8 && TYPE_BYTES[from] === 4) {
        if (a.stride !== 0) extensions.add(index);
        return a;
      }
      if (TYPE_BYTES[to] === 4 && TYPE_BYTES[from] === 8) return a;
      return TYPE_BYTES[to] === TYPE_BYTES[from] && TYPE_BYTES[to] >= 4 ? a : undefined;
    }
    if (instruction.kind !== 'arithmetic') return undefined;
    const { type } = instruction;
    if (
      isFloat(type) ||
      TYPE_BYTES[type] < 4 ||
      instruction.carryOut ||
      instruction.sat ||
      type === 'u16x2' ||
      type === 's16x2'
    )
      return undefined;
    const product = (x: Affine, y: Affine, left: Operand, right: Operand, signed: boolean): Affine | undefined => {
      const width = 8 * TYPE_BYTES[type];
      const value = (operand: Operand): number | undefined => {
        const bits = constantOf(operand);
        return bits === undefined
          ? undefined
          : Number(signed ? BigInt.asIntN(width, bits) : BigInt.asUintN(width, bits));
      };
      const align = Math.min(MAX_ALIGN, x.align * y.align);
      if (x.stride === 0 && y.stride === 0) return { stride: 0, align };
      const factor = x.stride === 0 ? value(left) : y.stride === 0 ? value(right) : undefined;
      if (factor === undefined) return undefined;
      const stride = (x.stride + y.stride) * factor;
      return Math.abs(stride) < 2 ** 31 ? { stride, align } : undefined;
    };
    const sum = (x: Affine, y: Affine, sign: 1 | -1): Affine => ({
      stride: x.stride + sign * y.stride,
      align: Math.min(x.align, y.align),
    });
    switch (instruction.op) {
      case 'add':
        return sum(a, b!, 1);
      case 'sub':
        return sum(a, b!, -1);
      case 'neg':
        return { stride: -a.stride, align: a.align };
      case 'mul':
      case 'mad': {
        if (instruction.half === 'hi') return undefined;
        const isWide = instruction.half === 'wide';
        const signed = isSigned(type) || !isWide;
        const p = product(a, b!, instruction.src[0]!, instruction.src[1]!, signed);
        if (!p) return undefined;
        if (isWide && p.stride !== 0) extensions.add(index);
        return instruction.op === 'mul' ? p : sum(p, c!, 1);
      }
      case 'shl': {
        const amount = constantOf(instruction.src[1]);
        if (amount === undefined || amount > 30n) return undefined;
        const factor = 2 ** Number(amount);
        const stride = a.stride * factor;
        return Math.abs(stride) < 2 ** 31 ? { stride, align: Math.min(MAX_ALIGN, a.align * factor) } : undefined;
      }
      case 'and': {
        // Low bits of base + i, the base a multiple of 2^k > i: either nothing is lost, or what is kept is uniform.
        const mask = constantOf(instruction.src[1]);
        if (mask === undefined || a.stride !== 1 || a.align < lanes) return undefined;
        const low = mask & BigInt(lanes - 1);
        const align = Math.min(a.align, MAX_ALIGN);
        if (low === BigInt(lanes - 1)) return { stride: 1, align: lanes };
        return low === 0n ? { stride: 0, align } : undefined;
      }
      case 'shr': {
        const amount = constantOf(instruction.src[1]);
        if (amount === undefined || amount > 31n || a.stride !== 1 || a.align < lanes) return undefined;
        return 2 ** Number(amount) >= lanes ? UNIFORM : undefined;
      }
      default:
        return undefined;
    }
  };

  /** True when a value that a block gives a register may be alive at a synchronisation. */
  const crosses = (id: number, from: number): boolean => {
    const seen = new Set([from]);
    for (const node of seen) {
      const { terminator } = blocks[node]!;
      const waits = terminator.kind === 'sync' || terminator.kind === 'yield';
      if (waits && live[terminator.next]!.has(id)) return true;
      for (const next of successors(terminator)) if (live[next]!.has(id)) seen.add(next);
    }
    return false;
  };
  const influence = influenceOf(flow);

  for (let changed = true; changed; ) {
    changed = false;
    const set = (id: number, next: LaneClass): void => {
      const joined = forced[id] ? 'varying' : join(classes[id], next);
      if (same(classes[id], joined)) return;
      classes[id] = joined;
      changed = true;
    };
    kernel.instructions.forEach((instruction, index) => {
      const result = transfer(instruction, index);
      if (result === undefined) return;
      // A second result (the predicate of a shuffle, of setp) is uniform or it varies.
      for (const id of definitions(instruction)) {
        const pred = kernel.registers[id]!.type === 'pred';
        set(id, pred && result !== 'varying' && result.stride !== 0 ? 'varying' : result);
      }
    });
    if (changed) continue;
    // Nothing moves: now that varying branches are known, see what they may make lanes skip.
    blocks.forEach((item, node) => {
      const { terminator } = item;
      const decides =
        terminator.kind === 'branch'
          ? classes[terminator.guard.register]
          : terminator.kind === 'switch'
            ? operandClass(terminator.index)
            : UNIFORM;
      if (decides === undefined || isUniform(decides)) return;
      for (const divergent of influence(node)) {
        const part = blocks[divergent]!;
        const visit = (instruction: Instruction): void => {
          for (const id of definitions(instruction))
            if (!forced[id] && facts.uniform[id] === 0 && crosses(id, divergent)) {
              forced[id] = 1;
              set(id, 'varying');
              changed = true;
            }
        };
        for (let index = part.first; index < part.end; index++) visit(kernel.instructions[index]!);
        if (part.terminator.kind === 'sync') visit(kernel.instructions[part.terminator.instruction]!);
      }
    });
  }
  const settled = classes.map((item): LaneClass => item ?? UNIFORM);
  return {
    classes: settled,
    operand: (operand) => operandClass(operand) ?? UNIFORM,
    extensions: new Set([...extensions].filter((index) => needsGuard(kernel.instructions[index]!, settled))),
  };
}

const readsCarry = ({ op }: Instruction): boolean => op === 'addc' || op === 'subc' || op === 'madc';

/** An extension matters only where its result is still kept as affine. */
function needsGuard(instruction: Instruction, classes: readonly LaneClass[]): boolean {
  const results = definitions(instruction);
  const sources = uses(instruction);
  return (
    results.some((id) => {
      const item = classes[id]!;
      return item !== 'varying';
    }) && sources.length > 0
  );
}

/** Blocks that lanes may skip because of a branch: those between it and its immediate post-dominator. */
function influenceOf(flow: ControlFlow): (node: number) => readonly number[] {
  const { blocks } = flow;
  const exit = blocks.length;
  const forward: Graph = blocks.map((block) => successors(block.terminator));
  const reversed: number[][] = Array.from({ length: exit + 1 }, () => []);
  forward.forEach((next, node) => {
    for (const to of next) reversed[to]!.push(node);
    if (next.length === 0) reversed[exit]!.push(node);
  });
  const tree = dominatorTree(reversed, exit);
  const known = new Map<number, readonly number[]>();
  return (node) => {
    let found = known.get(node);
    if (!found) {
      const stop = tree.immediate[node]!;
      const seen = new Set<number>();
      const stack = [...forward[node]!];
      while (stack.length > 0) {
        const at = stack.pop()!;
        if (at === stop || seen.has(at)) continue;
        seen.add(at);
        stack.push(...forward[at]!);
      }
      found = [...seen];
      known.set(node, found);
    }
    return found;
  };
}
