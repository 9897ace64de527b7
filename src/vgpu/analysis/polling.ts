/**
 * Accesses that wait: loads and atomics in a loop that goes round, or ends, by what they give (`while (*flag == 0);`,
 * `while (atomicCAS(lock, 0, 1));`). A thread that polls expects that others write meanwhile.
 */
import type { Instruction, Operand } from '../ptx/ir.ts';

/** `instructions`: of one function, with targets as places in the list. Loops are taken as runs of the list. */
export function pollingAccesses(instructions: readonly Instruction[]): ReadonlySet<Instruction> {
  const found = new Set<Instruction>();
  for (const [end, jump] of instructions.entries()) {
    if (jump.kind !== 'control' || jump.op !== 'bra') continue;
    const start = jump.targets[0]!;
    if (start > end) continue;
    const loop = instructions.slice(start, end + 1);
    for (const access of loop) {
      if (isAsked(access) && !found.has(access) && decides(loop, start, end, access)) found.add(access);
    }
  }
  return found;
}

function isAsked(instruction: Instruction): boolean {
  return (
    instruction.kind === 'atomic' ||
    (instruction.kind === 'memory' && instruction.op === 'ld' && instruction.semantics !== 'weak')
  );
}

/** Does a branch out of the loop, or back to its start, hang on what the access gives? */
function decides(loop: readonly Instruction[], start: number, end: number, access: Instruction): boolean {
  const tainted = new Set<number>(access.dst.flatMap(registers));
  for (let before = -1; before !== tainted.size; ) {
    before = tainted.size;
    for (const instruction of loop) {
      if (!instruction.src.flatMap(registers).some((id) => tainted.has(id))) continue;
      for (const id of instruction.dst.flatMap(registers)) tainted.add(id);
    }
  }
  return loop.some(
    (branch, index) =>
      branch.kind === 'control' &&
      branch.guard !== undefined &&
      tainted.has(branch.guard.register) &&
      branch.targets.some((target) => target <= start + index || target > end),
  );
}

/** The registers of an operand, also those packed together. */
export function registers(operand: Operand): number[] {
  switch (operand.kind) {
    case 'register':
    case 'predicate':
      return [operand.id];
    case 'vector':
      return operand.elements.flatMap(registers);
    default:
      return [];
  }
}
