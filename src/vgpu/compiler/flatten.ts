/**
 * One kernel as one flat list of instructions: calls of device functions are inlined, `.param` variables of calls
 * become registers, local variables of the callee get their own place in the thread's local area. Recursion and
 * calls through registers cannot be flattened; functions without a body (`vprintf`) stay as calls.
 */
import type { Control, Instruction, Operand, PtxFunction, PtxModule, PtxType, Register, Variable } from '../ptx/ir.ts';
import { isSigned, TYPE_BYTES } from '../ptx/ir.ts';
import { CannotCompile } from './cannot-compile.ts';
import { mapOperands } from './operands.ts';

export interface FlatKernel {
  readonly name: string;
  readonly entry: PtxFunction;
  readonly instructions: readonly Instruction[];
  readonly registers: readonly Register[];
  /** Bytes of local memory a thread needs. */
  readonly localBytes: number;
  /** Shared variables declared in the kernel and in inlined functions. */
  readonly variables: readonly Variable[];
}

/** Kernels past this many instructions are not worth the compile time and code size. */
const MAX_INSTRUCTIONS = 200_000;

/** Functions without a body that external.ts knows. */
const EXTERNALS: ReadonlySet<string> = new Set(['vprintf', '__assertfail', 'malloc', 'free']);

/** The registers that stand for one `.param` variable of a call, by byte offset. */
interface ParamStorage {
  readonly name: string;
  readonly pieces: Map<number, { bytes: number; register: number }>;
}

interface Frame {
  readonly fn: PtxFunction;
  readonly registerBase: number;
  readonly localBase: number;
  readonly storage: Map<Variable, ParamStorage>;
  readonly locals: Map<Variable, Variable>;
}

export function flattenKernel(module: PtxModule, entry: PtxFunction): FlatKernel {
  return new Flattener(module, entry).run();
}

class Flattener {
  private readonly instructions: Instruction[] = [];
  private readonly registers: Register[] = [];
  private readonly variables = new Set<Variable>();
  private localBytes = 0;
  private readonly active: string[] = [];

  constructor(
    private readonly module: PtxModule,
    private readonly entry: PtxFunction,
  ) {}

  run(): FlatKernel {
    this.inline(this.frame(this.entry, new Map()), true);
    return {
      name: this.entry.name,
      entry: this.entry,
      instructions: this.instructions,
      registers: this.registers,
      localBytes: this.localBytes,
      variables: [...this.variables],
    };
  }

  private frame(fn: PtxFunction, storage: Map<Variable, ParamStorage>): Frame {
    const registerBase = this.registers.length;
    this.registers.push(...fn.registers);
    const localBase = Math.ceil(this.localBytes / 16) * 16;
    this.localBytes = localBase + fn.localBytes;
    for (const variable of fn.variables) this.variables.add(variable);
    return { fn, registerBase, localBase, storage, locals: new Map() };
  }

  private inline(frame: Frame, outermost: boolean): void {
    const { fn } = frame;
    this.active.push(fn.name);
    // Where each instruction of the function begins in the flat list; one more for its end.
    const starts: number[] = [];
    const jumps: { at: number; targets: readonly number[] }[] = [];
    for (const instruction of fn.instructions) {
      starts.push(this.instructions.length);
      if (this.instructions.length > MAX_INSTRUCTIONS)
        throw new CannotCompile(`more than ${MAX_INSTRUCTIONS} instructions after inlining`, instruction.line);
      const mapped = this.mapped(instruction, frame);
      if (mapped.kind === 'control' && mapped.op === 'call' && mapped.call) this.call(mapped, frame);
      else if (mapped.kind === 'control' && mapped.op === 'ret' && !outermost) {
        jumps.push({ at: this.instructions.length, targets: [fn.instructions.length] });
        this.instructions.push({ ...mapped, op: 'bra' });
      } else if (mapped.kind === 'memory' && mapped.space === 'param') this.param(mapped, instruction, frame);
      else {
        if (mapped.kind === 'control' && mapped.targets.length > 0)
          jumps.push({ at: this.instructions.length, targets: mapped.targets });
        this.instructions.push(mapped);
      }
    }
    starts.push(this.instructions.length);
    for (const { at, targets } of jumps) {
      const branch = this.instructions[at] as Control;
      this.instructions[at] = { ...branch, targets: targets.map((target) => starts[target]!) };
    }
    this.active.pop();
  }

  private mapped(instruction: Instruction, frame: Frame): Instruction {
    const register = (id: number): number => id + frame.registerBase;
    const operand = (item: Operand): Operand => {
      switch (item.kind) {
        case 'register':
        case 'predicate':
          return { ...item, id: register(item.id) };
        case 'address':
          if (item.base.kind === 'register') return { ...item, base: { ...item.base, id: register(item.base.id) } };
          if (item.base.kind === 'variable')
            return { ...item, base: { kind: 'variable', variable: this.variable(item.base.variable, frame) } };
          return item;
        case 'symbol':
          return { ...item, variable: this.variable(item.variable, frame) };
        case 'vector':
          return { ...item, elements: item.elements.map(operand) };
        default:
          return item;
      }
    };
    return mapOperands(instruction, { register, operand });
  }

  /** Local variables move to the place of this inlined instance. */
  private variable(variable: Variable, frame: Frame): Variable {
    if (variable.space !== 'local' || !frame.fn.variables.includes(variable)) return variable;
    let moved = frame.locals.get(variable);
    if (!moved) {
      moved = { ...variable, offset: variable.offset + frame.localBase };
      frame.locals.set(variable, moved);
    }
    return moved;
  }

  private storageOf(variable: Variable, frame: Frame): ParamStorage {
    let storage = frame.storage.get(variable);
    if (!storage) {
      storage = { name: variable.name, pieces: new Map() };
      frame.storage.set(variable, storage);
    }
    return storage;
  }

  private piece(storage: ParamStorage, offset: number, type: PtxType, line: number): number {
    const bytes = TYPE_BYTES[type];
    const known = storage.pieces.get(offset);
    if (known?.bytes === bytes) return known.register;
    for (const [other, piece] of storage.pieces)
      if (offset < other + piece.bytes && other < offset + bytes)
        throw new CannotCompile(`call parameter '${storage.name}' accessed in overlapping pieces`, line);
    const register = this.registers.length;
    const width: PtxType = bytes <= 2 ? 'b16' : bytes === 4 ? 'b32' : bytes === 8 ? 'b64' : 'b128';
    if (width === 'b128') throw new CannotCompile('128-bit call parameter', line);
    this.registers.push({ name: `%${storage.name}+${offset}`, type: width });
    storage.pieces.set(offset, { bytes, register });
    return register;
  }

  /** ld.param of the kernel's own parameters stays; everything else becomes moves. */
  private param(mapped: Instruction, original: Instruction, frame: Frame): void {
    if (mapped.kind !== 'memory') return;
    const address = original.src[0];
    const direct = address?.kind === 'address' && address.base.kind === 'variable' ? address : undefined;
    const variable = direct?.base.kind === 'variable' ? direct.base.variable : undefined;
    const own =
      frame.fn.entry && frame.fn.params.some((item) => item.kind === 'variable' && item.variable === variable);
    if (own) {
      this.instructions.push(mapped);
      return;
    }
    if (!direct || !variable) {
      if (!frame.fn.entry) throw new CannotCompile('call parameter accessed through an address', mapped.line);
      this.instructions.push(mapped);
      return;
    }
    const storage = this.storageOf(variable, frame);
    const bytes = TYPE_BYTES[mapped.type];
    const values = mapped.op === 'ld' ? mapped.dst : mapped.src.slice(1);
    const elements = values.flatMap((value) => (value.kind === 'vector' ? value.elements : [value]));
    elements.forEach((element, index) => {
      const register = this.piece(storage, direct.offset + index * bytes, mapped.type, mapped.line);
      const type = this.registers[register]!.type;
      const stored: Operand = { kind: 'register', id: register, type };
      const common = { guard: mapped.guard, text: mapped.text, line: mapped.line, source: mapped.source };
      if (mapped.op === 'ld' && element.kind === 'sink') return;
      if (mapped.op === 'ld' && bytes < 4) {
        const to = element.kind === 'register' ? element.type : 'b32';
        const signed = isSigned(mapped.type);
        const wide = `${signed ? 's' : 'u'}${8 * TYPE_BYTES[to]}` as PtxType;
        this.instructions.push({
          ...common,
          kind: 'convert',
          op: 'cvt',
          to: wide,
          from: `${signed ? 's' : 'u'}${8 * bytes}` as PtxType,
          rounding: undefined,
          ftz: false,
          sat: false,
          relu: false,
          dst: [element],
          src: [stored],
        });
        return;
      }
      this.instructions.push({
        ...common,
        kind: 'move',
        op: 'mov',
        type,
        space: undefined,
        toSpace: false,
        dst: [mapped.op === 'ld' ? element : stored],
        src: [mapped.op === 'ld' ? stored : element],
      });
    });
  }

  /** A call of a function that the virtual GPU provides: its arguments and result become registers. */
  private external(instruction: Control, frame: Frame): void {
    const site = instruction.call!;
    if (typeof site.target !== 'string' || !EXTERNALS.has(site.target))
      throw new CannotCompile(`call of '${site.target}'`, instruction.line);
    const register = (operand: Operand): Operand => {
      if (operand.kind === 'register' || operand.kind === 'immediate') return operand;
      const variable =
        operand.kind === 'symbol'
          ? operand.variable
          : operand.kind === 'address' && operand.base.kind === 'variable'
            ? operand.base.variable
            : undefined;
      if (!variable || (variable.bytes !== 4 && variable.bytes !== 8))
        throw new CannotCompile(`argument of '${site.target}'`, instruction.line);
      const type: PtxType = variable.bytes === 8 ? 'b64' : 'b32';
      return { kind: 'register', id: this.piece(this.storageOf(variable, frame), 0, type, instruction.line), type };
    };
    this.instructions.push({
      ...instruction,
      call: { target: site.target, args: site.args.map(register), returns: site.returns.map(register) },
    });
  }

  private call(instruction: Control, frame: Frame): void {
    const site = instruction.call!;
    if (typeof site.target !== 'string') throw new CannotCompile('call through a register', instruction.line);
    const callee = this.module.functions.get(site.target);
    if (!callee) {
      this.external(instruction, frame);
      return;
    }
    if (this.active.includes(callee.name))
      throw new CannotCompile(`recursive call of '${callee.name}'`, instruction.line);
    if (instruction.guard) throw new CannotCompile('predicated call', instruction.line);
    const storage = new Map<Variable, ParamStorage>();
    const inner = this.frame(callee, storage);
    // The call itself counts as an instruction.
    this.instructions.push({ ...instruction, kind: 'system', effect: 'none', type: 'b32', dst: [], src: [] });
    const bind = (
      parameter: PtxFunction['params'][number] | undefined,
      operand: Operand,
      direction: 'in' | 'out',
    ): Instruction | undefined => {
      if (!parameter) throw new CannotCompile('call with a different number of parameters', instruction.line);
      const variable =
        operand.kind === 'symbol'
          ? operand.variable
          : operand.kind === 'address' && operand.base.kind === 'variable'
            ? operand.base.variable
            : undefined;
      if (parameter.kind === 'variable') {
        if (!variable) throw new CannotCompile('register passed as a .param variable', instruction.line);
        storage.set(parameter.variable, this.storageOf(variable, frame));
        return undefined;
      }
      const id = parameter.register + inner.registerBase;
      const own: Operand = { kind: 'register', id, type: this.registers[id]!.type };
      if (variable) throw new CannotCompile('.param variable passed as a register', instruction.line);
      return {
        kind: 'move',
        op: 'mov',
        type: own.type,
        space: undefined,
        toSpace: false,
        guard: undefined,
        dst: [direction === 'in' ? own : operand],
        src: [direction === 'in' ? operand : own],
        text: instruction.text,
        line: instruction.line,
        source: instruction.source,
      };
    };
    site.args.forEach((operand, index) => {
      const move = bind(callee.params[index], operand, 'in');
      if (move) this.instructions.push(move);
    });
    const after = site.returns.map((operand, index) => bind(callee.returns[index], operand, 'out'));
    this.inline(inner, false);
    for (const move of after) if (move) this.instructions.push(move);
  }
}
