/** Walking and rewriting the operands of an instruction, whatever its kind. */
import type { Guard, Instruction, Operand } from '../ptx/ir.ts';

export interface OperandMap {
  register(id: number): number;
  operand(operand: Operand): Operand;
}

const optional = (operand: Operand | undefined, map: OperandMap): Operand | undefined =>
  operand === undefined ? undefined : map.operand(operand);

/** The instruction with every operand and guard rewritten. Branch targets are left alone. */
export function mapOperands(instruction: Instruction, map: OperandMap): Instruction {
  const guard: Guard | undefined = instruction.guard && {
    register: map.register(instruction.guard.register),
    negated: instruction.guard.negated,
  };
  const common = { guard, dst: instruction.dst.map(map.operand), src: instruction.src.map(map.operand) };
  switch (instruction.kind) {
    case 'barrier':
      return {
        ...instruction,
        ...common,
        id: optional(instruction.id, map),
        count: optional(instruction.count, map),
        predicate: optional(instruction.predicate, map),
      };
    case 'warp':
      return { ...instruction, ...common, members: optional(instruction.members, map) };
    case 'control':
      return {
        ...instruction,
        ...common,
        call: instruction.call && {
          target:
            typeof instruction.call.target === 'string'
              ? instruction.call.target
              : { register: map.register(instruction.call.target.register) },
          returns: instruction.call.returns.map(map.operand),
          args: instruction.call.args.map(map.operand),
        },
      };
    default:
      return { ...instruction, ...common } as Instruction;
  }
}

/** Adds the registers of an operand to a list. No closures here: these functions are the translator's most called. */
function addRegisters(operand: Operand | undefined, found: number[]): void {
  switch (operand?.kind) {
    case 'register':
    case 'predicate':
      found.push(operand.id);
      break;
    case 'address':
      if (operand.base.kind === 'register') found.push(operand.base.id);
      break;
    case 'vector':
      for (const element of operand.elements) addRegisters(element, found);
      break;
  }
}

/** Registers an instruction reads, its guard's among them. */
export function uses(instruction: Instruction): number[] {
  const found: number[] = [];
  if (instruction.guard) found.push(instruction.guard.register);
  for (const operand of instruction.src) addRegisters(operand, found);
  // Vector and register destinations are written; an address among them would be read.
  for (const operand of instruction.dst) if (operand.kind === 'address') addRegisters(operand, found);
  if (instruction.kind === 'barrier') {
    addRegisters(instruction.id, found);
    addRegisters(instruction.count, found);
    addRegisters(instruction.predicate, found);
  } else if (instruction.kind === 'warp') addRegisters(instruction.members, found);
  else if (instruction.kind === 'control' && instruction.call) {
    if (typeof instruction.call.target !== 'string') found.push(instruction.call.target.register);
    for (const operand of instruction.call.args) addRegisters(operand, found);
  }
  return found;
}

/** Registers an instruction writes. */
export function definitions(instruction: Instruction): number[] {
  const found: number[] = [];
  for (const operand of instruction.dst) if (operand.kind !== 'address') addRegisters(operand, found);
  if (instruction.kind === 'control' && instruction.call)
    for (const operand of instruction.call.returns) addRegisters(operand, found);
  return found;
}
