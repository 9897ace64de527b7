/**
 * Guesses: plain loads whose value an `atom.cas` at the same address then checks (`old = *p; do { seen = old; old =
 * atomicCAS(p, seen, f(seen)); } while (old != seen);`, the CUDA guide's way to make an atomic of any function, and that of
 * the toolkit's own headers). A guess that another thread's atomic outruns costs a turn of the loop and nothing else.
 */
import type { Instruction, MemoryAccess, Operand } from '../ptx/ir.ts';
import { registers } from './polling.ts';

/** How far back addresses are followed. */
const MOST_TERMS = 8;

/** The guesses of one function. Values are followed through moves only. */
export function guesses(instructions: readonly Instruction[]): ReadonlySet<Instruction> {
  const found = new Set<Instruction>();
  for (const cas of instructions) {
    if (cas.kind !== 'atomic' || cas.operation !== 'cas') continue;
    const compared = comesFrom(instructions, cas.src[1]);
    for (const load of instructions) {
      if (!isPlainLoad(load) || !sameAddress(instructions, load.src[0], cas.src[0])) continue;
      if (load.dst.flatMap(registers).some((id) => compared.has(id))) found.add(load);
    }
  }
  return found;
}

function isPlainLoad(instruction: Instruction): instruction is MemoryAccess {
  return instruction.kind === 'memory' && instruction.op === 'ld' && instruction.semantics === 'weak';
}

/** The registers whose values moves bring to an operand. */
function comesFrom(instructions: readonly Instruction[], operand: Operand | undefined): ReadonlySet<number> {
  const sources = new Set(operand === undefined ? [] : registers(operand));
  for (let before = -1; before !== sources.size; ) {
    before = sources.size;
    for (const instruction of instructions) {
      if (instruction.kind !== 'move' || !instruction.dst.flatMap(registers).some((id) => sources.has(id))) continue;
      for (const id of instruction.src.flatMap(registers)) sources.add(id);
    }
  }
  return sources;
}

/** The same place by its text: alike sums of the same registers and variables, with one offset. */
function sameAddress(instructions: readonly Instruction[], a: Operand | undefined, b: Operand | undefined): boolean {
  const [left, right] = [placeOf(instructions, a), placeOf(instructions, b)];
  return left !== undefined && left === right;
}

function placeOf(instructions: readonly Instruction[], operand: Operand | undefined): string | undefined {
  if (operand?.kind !== 'address' || operand.base.kind === 'absolute') return undefined;
  const { base, offset } = operand;
  return `${base.kind === 'variable' ? `${base.variable.name} + 0` : sumOf(instructions, base.id, 0)} + ${offset}`;
}

/** What is added up in a register that is written once; a generic address counts as that of its space. */
function sumOf(instructions: readonly Instruction[], register: number, depth: number): string {
  const written = instructions.filter(({ dst }) => dst.flatMap(registers).includes(register));
  const [only] = written;
  if (written.length !== 1 || only?.guard !== undefined || depth === MOST_TERMS) return `%${register}`;
  const moves = only?.kind === 'move' && (only.op === 'mov' || only.op === 'cvta');
  const adds = only?.kind === 'arithmetic' && only.op === 'add';
  if (!moves && !adds) return `%${register}`;
  const terms = only.src.map((operand) => {
    if (operand.kind === 'register') return sumOf(instructions, operand.id, depth + 1);
    if (operand.kind === 'immediate') return `${operand.bits}`;
    return operand.kind === 'symbol' ? `${operand.variable.name} + ${operand.offset}` : undefined;
  });
  return terms.includes(undefined) ? `%${register}` : terms.join(' + ');
}
