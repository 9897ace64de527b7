/**
 * Code of one thread at a time: PTX registers live in WebAssembly locals, operands are pushed in the form that the
 * instruction's type asks for, results are stored in the form that the register's type asks for.
 *
 * Forms: predicates are i32 0 or 1. Integers of 8 and 16 bits are i32, extended by the signedness of the instruction's
 * type; in a 16-bit register they are kept zero-extended. f16 and bf16 are their bits. f32 and f64 are themselves.
 */
import type { Instruction, Operand, PtxType, SpecialRegister, Variable } from '../../ptx/ir.ts';
import { TYPE_BYTES } from '../../ptx/ir.ts';
import { CannotCompile } from '../cannot-compile.ts';
import type { FlatKernel } from '../flatten.ts';
import { type RegisterFacts, type ScalarType, wasmType } from '../registers.ts';
import type { Unit } from '../unit.ts';
import type { FunctionBuilder } from '../wasm/encoder.ts';
import { isClock, pushClock, pushSpecial } from './special.ts';

export class ScalarContext {
  private readonly locals = new Map<number, number>();
  private readonly scratch: Record<ScalarType, number[]> = { i32: [], i64: [], f32: [], f64: [] };
  /** The carry flag of add.cc and its kin; -1 until one is written. */
  carryLocal = -1;
  /** Local that holds what is left of the budget; -1 outside regions, where no clock is read. */
  budget = -1;
  /** Threads that an instruction emitted here stands for: more than one where a group computes what is uniform. */
  lanes = 1;
  readonly kernel: FlatKernel;
  readonly facts: RegisterFacts;

  constructor(
    readonly unit: Unit,
    readonly code: FunctionBuilder,
    /** Local that holds the thread's index in the block. */
    readonly thread: number,
    /** Local that holds the arena's offset. */
    readonly arena: number,
    /** Local that holds where the block's shared memory begins. */
    private readonly shared: number,
    /** Memory checks are calls: for code that is repeated for each lane. */
    readonly outOfLine = false,
  ) {
    this.kernel = unit.flow.kernel;
    this.facts = unit.facts;
  }

  /** The local of a register, made when new. */
  localOf(id: number): number {
    let local = this.locals.get(id);
    if (local === undefined) {
      local = this.code.local(this.facts.localType[id]!);
      this.locals.set(id, local);
    }
    return local;
  }

  /** Registers stand in other locals while `emit` runs (one lane of a group). */
  withLocals<T>(replacements: ReadonlyMap<number, number>, emit: () => T): T {
    const saved = new Map<number, number | undefined>();
    for (const [id, local] of replacements) {
      saved.set(id, this.locals.get(id));
      this.locals.set(id, local);
    }
    const result = emit();
    for (const [id, local] of saved)
      if (local === undefined) this.locals.delete(id);
      else this.locals.set(id, local);
    return result;
  }

  sharedBase(): number {
    return this.shared;
  }

  /** Lends a scratch local while `emit` runs. */
  temp<T>(type: ScalarType, emit: (local: number) => T): T {
    const local = this.scratch[type].pop() ?? this.code.local(type);
    const result = emit(local);
    this.scratch[type].push(local);
    return result;
  }

  /** The carry flag's local. Reading one that nothing in this block wrote is not supported. */
  carry(instruction: Instruction, write: boolean): number {
    if (this.carryLocal === -1) {
      if (!write) throw new CannotCompile('carry read with no carry written before it', instruction.line);
      this.carryLocal = this.code.local('i32');
    }
    return this.carryLocal;
  }

  push(operand: Operand, type: PtxType): void {
    switch (operand.kind) {
      case 'register':
        this.pushRegister(operand.id, type);
        return;
      case 'predicate':
        this.code.get(this.localOf(operand.id));
        if (operand.negated) this.code.op('i32.eqz');
        return;
      case 'immediate':
        this.pushImmediate(operand.bits, type);
        return;
      case 'special':
        this.pushSpecial(operand.register, type);
        return;
      case 'symbol':
        this.pushAddress(operand.variable, operand.offset, type);
        return;
      case 'sink':
        this.pushImmediate(0n, type);
        return;
      default:
        throw new CannotCompile(`${operand.kind} operand`, this.kernel.entry.ptxLine);
    }
  }

  pushImmediate(bits: bigint, type: PtxType): void {
    const { code } = this;
    if (type === 'f32') {
      // Through the bits: a JavaScript number would quiet a signalling NaN.
      const word = Number(BigInt.asIntN(32, bits));
      if ((word & 0x7fffffff) > 0x7f800000) code.i32(word).op('f32.reinterpret_i32');
      else code.f32(floatOfBits(word));
    } else if (type === 'f64') code.i64(bits).op('f64.reinterpret_i64');
    else if (type === 'pred') code.i32(bits === 0n ? 0 : 1);
    else if (wasmType(type) === 'i64') code.i64(bits);
    else {
      const width = 8 * TYPE_BYTES[type];
      const signed = type === 's8' || type === 's16';
      code.i32(Number(width === 32 || signed ? BigInt.asIntN(width, bits) : BigInt.asUintN(width, bits)));
    }
  }

  /** Constant bits of an operand, if it always has the same. */
  constantOf(operand: Operand | undefined): bigint | undefined {
    if (operand?.kind === 'immediate') return operand.bits;
    if (operand?.kind === 'register') return this.facts.constant.get(operand.id);
    return undefined;
  }

  pushRegister(id: number, type: PtxType): void {
    const { code } = this;
    const local = this.facts.localType[id]!;
    const bytes = TYPE_BYTES[this.kernel.registers[id]!.type];
    const wanted = wasmType(type);
    const size = TYPE_BYTES[type];
    const constant = this.facts.constant.get(id);
    if (constant !== undefined && !(wanted === 'f32' && local === 'f32')) {
      this.pushImmediate(constant, type);
      return;
    }
    code.get(this.localOf(id));
    if (type === 'pred') return;
    if (size > bytes) throw new CannotCompile(`${8 * bytes}-bit register read as .${type}`, this.kernel.entry.ptxLine);
    if (bytes === 8) {
      if (size === 8) reinterpret(code, local, wanted);
      else {
        reinterpret(code, local, 'i64');
        code.op('i32.wrap_i64');
      }
    } else if (bytes === 4 && size === 4) reinterpret(code, local, wanted);
    else if (bytes === 4) reinterpret(code, local, 'i32');
    if (size === 4 && bytes === 8) reinterpret(code, 'i32', wanted);
    if (size === 2) {
      if (type === 's16') code.op('i32.extend16_s');
      else if (bytes > 2) code.i32(0xffff).op('i32.and');
    } else if (size === 1) {
      if (type === 's8') code.op('i32.extend8_s');
      else code.i32(0xff).op('i32.and');
    }
  }

  /** Stores the value on the stack, in the form of `type`, in a destination. */
  set(operand: Operand, type: PtxType): void {
    const { code } = this;
    if (operand.kind === 'sink') {
      code.op('drop');
      return;
    }
    if (operand.kind !== 'register' && operand.kind !== 'predicate')
      throw new CannotCompile(`${operand.kind} destination`, this.kernel.entry.ptxLine);
    const { id } = operand;
    const local = this.facts.localType[id]!;
    const target = this.kernel.registers[id]!.type;
    const bytes = TYPE_BYTES[target];
    const size = TYPE_BYTES[type];
    const given = wasmType(type);
    if (target !== 'pred') {
      if (size > bytes)
        throw new CannotCompile(`.${type} result in a ${8 * bytes}-bit register`, this.kernel.entry.ptxLine);
      if (bytes === 2) code.i32(0xffff).op('i32.and');
      else if (size === bytes) reinterpret(code, given, local);
      else {
        // A wider register takes the value extended by its own signedness.
        reinterpret(code, given, 'i32');
        if (bytes === 8) {
          code.op(/^s/.test(type) ? 'i64.extend_i32_s' : 'i64.extend_i32_u');
          reinterpret(code, 'i64', local);
        } else reinterpret(code, 'i32', local);
      }
    }
    code.set(this.localOf(id));
  }

  pushSpecial(register: SpecialRegister, type: PtxType): void {
    const wanted = wasmType(type);
    if (isClock(register)) {
      pushClock(this, register);
      if (wanted !== 'i64') this.code.op('i32.wrap_i64');
      return;
    }
    pushSpecial(this, register);
    if (wanted === 'i64') this.code.op('i64.extend_i32_u');
    else if (wanted === 'f32') this.code.op('f32.reinterpret_i32');
  }

  private pushAddress(variable: Variable, offset: number, type: PtxType): void {
    this.pushImmediate(this.unit.addressOf(variable) + BigInt(offset), wasmType(type) === 'i64' ? 'b64' : 'b32');
  }
}

const words = new Int32Array(1);
const floats = new Float32Array(words.buffer);

export function floatOfBits(word: number): number {
  words[0] = word;
  return floats[0]!;
}

/** Changes the type of the value on the stack without changing its bits. */
export function reinterpret(code: FunctionBuilder, from: ScalarType, to: ScalarType): void {
  if (from === to) return;
  if (from === 'i32' && to === 'f32') code.op('f32.reinterpret_i32');
  else if (from === 'f32' && to === 'i32') code.op('i32.reinterpret_f32');
  else if (from === 'i64' && to === 'f64') code.op('f64.reinterpret_i64');
  else if (from === 'f64' && to === 'i64') code.op('i64.reinterpret_f64');
  else throw new Error(`No reinterpretation from ${from} to ${to}.`);
}
