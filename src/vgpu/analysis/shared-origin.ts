/**
 * Which shared variable an address was computed from, where the text of a function tells: registers into which nothing
 * but one variable's address, plus and minus numbers, can have flowed. An access through such a register must fall into
 * that variable, however far its index strays: it may land, over a red zone, in the middle of another one.
 *
 * Flow-insensitive: a register has an origin only if all instructions that write it agree on it.
 */
import { type Instruction, type Operand, type PtxFunction, TYPE_BYTES, type Variable } from '../ptx/ir.ts';

/** A number, the address of a variable, or anything. */
type Origin = Variable | 'number' | 'anything';

/** What they give is no address, whatever they are given. */
const NUMBERS: ReadonlySet<string> = new Set(['mul', 'shl', 'shr', 'div', 'rem', 'bfe', 'popc', 'clz']);

/** The variable of each memory access of a function whose address has one. */
export function sharedOrigins(fn: PtxFunction): ReadonlyMap<Instruction, Variable> {
  const origins = new Map<number, Origin>();
  if (fn.instructions.some(({ src }) => src.some(namesShared))) {
    for (let changed = true; changed; ) {
      changed = false;
      for (const instruction of fn.instructions) changed = transfer(instruction, origins) || changed;
    }
  }
  const found = new Map<Instruction, Variable>();
  for (const instruction of fn.instructions) {
    if (instruction.kind !== 'memory' && instruction.kind !== 'atomic') continue;
    const [address] = instruction.src;
    if (address?.kind !== 'address') continue;
    const { base } = address;
    const origin =
      base.kind === 'variable' ? base.variable : base.kind === 'register' ? origins.get(base.id) : undefined;
    if (typeof origin === 'object' && origin.space === 'shared') found.set(instruction, origin);
  }
  return found;
}

function namesShared(operand: Operand): boolean {
  return operand.kind === 'symbol' && operand.variable.space === 'shared';
}

/** Applies one instruction; true when a register's origin has changed. Registers never written hold numbers. */
function transfer(instruction: Instruction, origins: Map<number, Origin>): boolean {
  const of = (operand: Operand | undefined): Origin | undefined => {
    if (operand === undefined) return 'number';
    if (operand.kind === 'symbol') return operand.variable.space === 'shared' ? operand.variable : 'anything';
    return operand.kind === 'register' ? origins.get(operand.id) : 'number';
  };
  const sources = instruction.src.map(of);
  // What a source holds is not known yet: another pass will tell.
  const result = resultOf(instruction, sources);
  if (result === undefined) return false;
  let changed = false;
  for (const dst of instruction.dst) {
    for (const register of dst.kind === 'vector' ? dst.elements : [dst]) {
      if (register.kind !== 'register') continue;
      const before = origins.get(register.id);
      const after = before === undefined || before === result ? result : 'anything';
      if (after === before) continue;
      origins.set(register.id, after);
      changed = true;
    }
  }
  return changed;
}

function resultOf(instruction: Instruction, sources: readonly (Origin | undefined)[]): Origin | undefined {
  const [a, b, c] = sources;
  switch (instruction.kind) {
    case 'move':
      return instruction.op === 'mov' || instruction.op === 'cvta' ? a : 'anything';
    case 'convert':
      // The low word of a shared address is all of it; other conversions are of numbers.
      return a;
    case 'arithmetic':
      if (instruction.op === 'add' || instruction.op === 'or') return sum(a, b);
      if (instruction.op === 'sub') return b === 'number' ? a : b === undefined ? undefined : 'anything';
      if (instruction.op === 'mad') return c;
      if (NUMBERS.has(instruction.op)) return 'number';
      if (sources.includes(undefined)) return undefined;
      return sources.every((source) => source === 'number') ? 'number' : 'anything';
    case 'compare':
      if (instruction.op === 'selp') return a === undefined ? b : b === undefined || a === b ? a : 'anything';
      return 'number';
    default:
      // Loads, exchanges, calls: a pointer of 64 bits may come out of them, a number of 32 is no pointer in C++.
      return instruction.dst.every(isNarrow) ? 'number' : 'anything';
  }
}

function isNarrow(operand: Operand): boolean {
  if (operand.kind === 'vector') return operand.elements.every(isNarrow);
  return operand.kind !== 'register' || TYPE_BYTES[operand.type] <= 4;
}

function sum(a: Origin | undefined, b: Origin | undefined): Origin | undefined {
  if (a === undefined || b === undefined) return undefined;
  if (a === 'number') return b;
  return b === 'number' ? a : 'anything';
}
