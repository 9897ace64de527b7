/**
 * Where a kernel's pointers come from: for each register the parameters and module variables whose value may have gone
 * into it. Flow-insensitive: a register that is used for several things has all their origins.
 *
 * Only the allocations that a launch may write can have races, and they are told by this. A pointer keeps the tag of what
 * it was made from, so that an access by it which passes the checks falls into an allocation of one of its origins: all but
 * those by an offset of gigabytes that changes the tag and, by chance, meets another allocation of just that colour.
 */
import type { Instruction, Operand, Variable } from '../../ptx/ir.ts';
import { TYPE_BYTES } from '../../ptx/ir.ts';
import type { FlatKernel } from '../flatten.ts';
import { definitions, uses } from '../operands.ts';

/** Bits of an origin set. Those of parameters and module variables follow. */
const UNKNOWN = 1n;
/** Shared or local memory: never global. */
const WINDOW = 2n;
const FIRST = 2;

export interface PointerOrigins {
  /** Parameter indices and module variables, by bit - {@link FIRST}. */
  readonly sources: readonly (number | Variable)[];
  /** Bits of the sources that an access's base may come from; `undefined`: from anywhere. */
  of(base: Extract<Operand, { kind: 'address' }>['base']): readonly number[] | undefined;
}

export function pointerOrigins(kernel: FlatKernel): PointerOrigins {
  const sources: (number | Variable)[] = kernel.entry.params.map((_, index) => index);
  const numbers = new Map<Variable, number>();
  kernel.entry.params.forEach((parameter, index) => {
    if (parameter.kind === 'variable') numbers.set(parameter.variable, index);
  });
  const bitOf = (variable: Variable): bigint => {
    if (variable.space === 'shared' || variable.space === 'local') return WINDOW;
    if (variable.space !== 'global' && variable.space !== 'const') return UNKNOWN;
    let number = numbers.get(variable);
    if (number === undefined) {
      number = sources.push(variable) - 1;
      numbers.set(variable, number);
    }
    return 1n << BigInt(FIRST + number);
  };
  // Every variable has its number from the start, one that is only stored to as well.
  for (const { src } of kernel.instructions) {
    for (const operand of src) for (const variable of symbols(operand)) bitOf(variable);
  }
  const sets: bigint[] = kernel.registers.map(() => 0n);
  const flows: { readonly from: readonly number[]; readonly to: readonly number[]; readonly own: bigint }[] = [];
  for (const instruction of kernel.instructions) {
    // A predicate holds no pointer.
    const to = definitions(instruction).filter((id) => kernel.registers[id]!.type !== 'pred');
    if (to.length === 0) continue;
    const loaded = loadedOrigins(instruction, numbers);
    if (loaded !== undefined) flows.push({ from: [], to, own: loaded });
    else {
      let own = 0n;
      for (const operand of instruction.src) for (const variable of symbols(operand)) own |= bitOf(variable);
      flows.push({ from: uses(instruction), to, own });
    }
  }
  for (let changed = true; changed; ) {
    changed = false;
    for (const { from, to, own } of flows) {
      let set = own;
      for (const id of from) set |= sets[id]!;
      for (const id of to) {
        const merged = sets[id]! | set;
        if (merged === sets[id]) continue;
        sets[id] = merged;
        changed = true;
      }
    }
  }
  return {
    sources,
    of(base) {
      const set = base.kind === 'register' ? sets[base.id]! : base.kind === 'variable' ? bitOf(base.variable) : 0n;
      // A pointer of no known origin was put together from narrower loads.
      if (set === 0n || (set & UNKNOWN) !== 0n) return undefined;
      return sources.flatMap((_, index) => ((set >> BigInt(FIRST + index)) & 1n ? [index] : []));
    },
  };
}

/** What a load brings; undefined for other instructions. Values narrower than a pointer are no pointers. */
function loadedOrigins(instruction: Instruction, parameters: ReadonlyMap<Variable, number>): bigint | undefined {
  if (instruction.kind === 'atomic') return TYPE_BYTES[instruction.type] >= 8 ? UNKNOWN : 0n;
  if (instruction.kind !== 'memory') return undefined;
  const address = instruction.src[0];
  if (instruction.space === 'param' && address?.kind === 'address' && address.base.kind === 'variable') {
    const number = parameters.get(address.base.variable);
    if (number !== undefined) return 1n << BigInt(FIRST + number);
  }
  return TYPE_BYTES[instruction.type] >= 8 ? UNKNOWN : 0n;
}

/** Variables whose address an operand is made of. */
function symbols(operand: Operand): Variable[] {
  switch (operand.kind) {
    case 'symbol':
      return [operand.variable];
    case 'address':
      return operand.base.kind === 'variable' ? [operand.base.variable] : [];
    case 'vector':
      return operand.elements.flatMap(symbols);
    default:
      return [];
  }
}
