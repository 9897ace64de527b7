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

function registersOf(operand: Operand, visit: (id: number) => void): void {
  switch (operand.kind) {
    case 'register':
    case 'predicate':
      visit(operand.id);
      break;
    case 'address':
      if (operand.base.kind === 'register') visit(operand.base.id);
      break;
    case 'vector':
      for (const element of operand.elements) registersOf(element, visit);
      break;
  }
}

/** Registers an instruction reads, its guard's among them. */
export function uses(instruction: Instruction): number[] {
  const found: number[] = [];
  const visit = (id: number): void => {
    found.push(id);
  };
  if (instruction.guard) visit(instruction.guard.register);
  for (const operand of instruction.src) registersOf(operand, visit);
  // Vector and register destinations are written; an address among them would be read.
  for (const operand of instruction.dst) if (operand.kind === 'address') registersOf(operand, visit);
  if (instruction.kind === 'barrier') {
    for (const operand of [instruction.id, instruction.count, instruction.predicate])
      if (operand) registersOf(operand, visit);
  } else if (instruction.kind === 'warp') {
    if (instruction.members) registersOf(instruction.members, visit);
  } else if (instruction.kind === 'control' && instruction.call) {
    if (typeof instruction.call.target !== 'string') visit(instruction.call.target.register);
    for (const operand of instruction.call.args) registersOf(operand, visit);
  }
  return found;
}

/** Registers an instruction writes. */
export function definitions(instruction: Instruction): number[] {
  const found: number[] = [];
  const visit = (id: number): void => {
    found.push(id);
  };
  for (const operand of instruction.dst) if (operand.kind !== 'address') registersOf(operand, visit);
  if (instruction.kind === 'control' && instruction.call)
    for (const operand of instruction.call.returns) registersOf(operand, visit);
  return found;
}
