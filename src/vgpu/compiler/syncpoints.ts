/**
 * Where threads stop and go on: each synchronisation or yield of a kernel, what the scheduler must know of it, and which
 * block continues. Number 0 means exited; the start of the kernel is a point of its own.
 */
import type { Barrier, Instruction, Matrix, Operand, Warp } from '../ptx/ir.ts';
import type { Slot } from './arena.ts';
import type { ControlFlow } from './cfg.ts';
import type { RegisterFacts } from './registers.ts';
import type { Unit } from './unit.ts';

/** Where the scheduler finds the value of an operand for each thread. */
export type OperandSource =
  | { readonly kind: 'constant'; readonly bits: bigint }
  | { readonly kind: 'slot'; readonly slot: Slot; readonly negated: boolean };

export interface SyncPoint {
  readonly number: number;
  readonly kind: 'start' | 'barrier' | 'warp' | 'matrix' | 'yield';
  readonly instruction: Barrier | Warp | Matrix | undefined;
  /** What a yielding loop waits on: an access of the block that the thread goes on with, or whatever it starts with. */
  readonly repeats: Instruction | undefined;
  /** Block at which a thread goes on. */
  readonly next: number;
  /** Registers saved in frames by a thread that stops here, if its region changed them. */
  readonly saved: readonly number[];
}

/** Registers that the scheduler reads at a sync point. */
export function operandRegisters(operands: readonly (Operand | undefined)[]): number[] {
  return operands.flatMap((operand): number[] => {
    if (!operand) return [];
    if (operand.kind === 'register' || operand.kind === 'predicate') return [operand.id];
    if (operand.kind === 'address') return operand.base.kind === 'register' ? [operand.base.id] : [];
    if (operand.kind === 'vector') return operandRegisters(operand.elements);
    return [];
  });
}

/** Operands of a synchronising instruction, in one list. */
export function syncOperands(instruction: Barrier | Warp | Matrix): readonly (Operand | undefined)[] {
  if (instruction.kind === 'barrier')
    return [...instruction.src, instruction.id, instruction.count, instruction.predicate];
  if (instruction.kind === 'warp') return [...instruction.src, instruction.members];
  return instruction.src;
}

export interface SyncPoints {
  readonly points: readonly SyncPoint[];
  /** Point of a block that ends in one; -1 for others. */
  readonly ofBlock: Int32Array;
}

export function findSyncPoints(unit: Unit): SyncPoints {
  const { flow, facts, live } = unit;
  const points: SyncPoint[] = [
    { number: 1, kind: 'start', instruction: undefined, repeats: undefined, next: flow.entry, saved: [] },
  ];
  const ofBlock = new Int32Array(flow.blocks.length).fill(-1);
  flow.blocks.forEach((block, index) => {
    const { terminator } = block;
    if (terminator.kind !== 'sync' && terminator.kind !== 'yield') return;
    const instruction =
      terminator.kind === 'sync'
        ? (flow.kernel.instructions[terminator.instruction] as SyncPoint['instruction'])
        : undefined;
    const needed = new Set(live[terminator.next]!.items().filter((id) => facts.uniform[id] === 0));
    if (instruction)
      for (const id of operandRegisters(syncOperands(instruction))) if (!facts.constant.has(id)) needed.add(id);
    ofBlock[index] = points.length + 1;
    points.push({
      number: points.length + 1,
      kind: terminator.kind === 'yield' ? 'yield' : (instruction!.kind as 'barrier' | 'warp' | 'matrix'),
      instruction,
      repeats: instruction === undefined ? repeatedIn(flow, terminator.next) : undefined,
      next: terminator.next,
      saved: [...needed],
    });
  });
  return { points, ofBlock };
}

function repeatedIn({ blocks, kernel }: ControlFlow, block: number): Instruction | undefined {
  const { first, end } = blocks[block]!;
  const body = kernel.instructions.slice(first, end);
  return body.find(({ kind }) => kind === 'memory' || kind === 'atomic' || kind === 'mbarrier') ?? body[0];
}

/** How the scheduler gets at an operand. */
export function operandSource(
  unit: Unit,
  facts: RegisterFacts,
  operand: Operand | undefined,
): OperandSource | undefined {
  if (!operand) return undefined;
  if (operand.kind === 'immediate') return { kind: 'constant', bits: operand.bits };
  if (operand.kind === 'register' || operand.kind === 'predicate') {
    const constant = facts.constant.get(operand.id);
    const negated = operand.kind === 'predicate' && operand.negated;
    if (constant !== undefined) return { kind: 'constant', bits: negated ? (constant === 0n ? 1n : 0n) : constant };
    return { kind: 'slot', slot: unit.frames.slot(operand.id, unit.slotBytes(operand.id)), negated };
  }
  return undefined;
}
