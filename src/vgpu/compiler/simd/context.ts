/**
 * Code of a group of L = 4W lanes: uniform and affine registers in the locals of a {@link ScalarContext} (the code of
 * lane 0), varying ones in W vectors of 32-bit lanes, or 2W of 64-bit lanes. Varying predicates are masks, 0 or -1 a lane.
 */
import type { Operand, PtxType } from '../../ptx/ir.ts';
import { TYPE_BYTES } from '../../ptx/ir.ts';
import { CannotCompile } from '../cannot-compile.ts';
import { wasmType } from '../registers.ts';
import type { ScalarContext } from '../scalar/context.ts';
import type { FunctionBuilder } from '../wasm/encoder.ts';
import type { Classification, LaneClass } from './classify.ts';

export class SimdContext {
  readonly code: FunctionBuilder;
  /** Vectors of 32-bit lanes in a group. */
  readonly width: number;
  readonly lanes: number;
  private readonly vectors = new Map<number, readonly number[]>();
  private readonly scratch: number[] = [];
  private readonly carries: number[] = [];
  private readonly places: number[] = [];
  /** Uniform and affine registers spread over lanes, by register and vector, valid at this point of a block. */
  private readonly spread = new Map<number, (number | undefined)[]>();
  private readonly spreadLocals = new Map<string, number>();
  private keeping = true;

  constructor(
    /** Lane 0's code: its thread local is the group's first thread. */
    readonly scalar: ScalarContext,
    /** Code of single lanes, with a thread local of its own. */
    readonly lane: ScalarContext,
    readonly classification: Classification,
    lanes: number,
  ) {
    this.code = scalar.code;
    this.lanes = lanes;
    this.width = lanes / 4;
  }

  /** A local for where a lane's access takes place, while one instruction is emitted. */
  placeOf(lane: number): number {
    this.places[lane] ??= this.code.local('i32');
    return this.places[lane]!;
  }

  /** The local of a lane's carry flag. */
  carryOf(lane: number): number {
    this.carries[lane] ??= this.code.local('i32');
    return this.carries[lane]!;
  }

  classOf(id: number): LaneClass {
    return this.classification.classes[id]!;
  }

  isVarying(id: number): boolean {
    return this.classOf(id) === 'varying';
  }

  isWide(id: number): boolean {
    return TYPE_BYTES[this.scalar.kernel.registers[id]!.type] === 8;
  }

  isPredicate(id: number): boolean {
    return this.scalar.kernel.registers[id]!.type === 'pred';
  }

  /** The vectors of a varying register. */
  vectorsOf(id: number): readonly number[] {
    let vectors = this.vectors.get(id);
    if (!vectors) {
      vectors = Array.from({ length: this.isWide(id) ? 2 * this.width : this.width }, () => this.code.local('v128'));
      this.vectors.set(id, vectors);
    }
    return vectors;
  }

  temp<T>(emit: (local: number) => T): T {
    const local = this.scratch.pop() ?? this.code.local('v128');
    const result = emit(local);
    this.scratch.push(local);
    return result;
  }

  /** Pushes vector `w` of an operand in lanes of the type's width (pred: a mask). Types of 8 or 16 bits: in 32-bit lanes. */
  push(operand: Operand, type: PtxType, w: number): void {
    const { code, scalar } = this;
    const id = operand.kind === 'register' || operand.kind === 'predicate' ? operand.id : -1;
    if (id >= 0 && this.isVarying(id) && scalar.facts.constant.get(id) === undefined) {
      this.pushVarying(id, type, w);
      if (operand.kind === 'predicate' && operand.negated) code.op('v128.not');
      return;
    }
    const item = this.classification.operand(operand);
    if (item === 'varying')
      throw new CannotCompile(`varying ${operand.kind} in vector code`, scalar.kernel.entry.ptxLine);
    if (type === 'pred') {
      code.i32(0);
      scalar.push(operand, 'pred');
      code.op('i32.sub').op('i32x4.splat');
      return;
    }
    if (operand.kind === 'immediate') {
      this.pushConstant(operand.bits, type);
      return;
    }
    const wide = TYPE_BYTES[type] === 8;
    // Full-width registers spread over lanes are kept: V8 does not find them equal by itself.
    const keep =
      id >= 0 &&
      this.keeping &&
      TYPE_BYTES[scalar.kernel.registers[id]!.type] === TYPE_BYTES[type] &&
      TYPE_BYTES[type] >= 4;
    const vector = item.stride === 0 ? 0 : w;
    const kept = keep ? this.spread.get(id)?.[vector] : undefined;
    if (kept !== undefined) {
      code.get(kept);
      return;
    }
    scalar.push(operand, type);
    const wasm = wasmType(type);
    code.op(wasm === 'f32' ? 'f32x4.splat' : wasm === 'f64' ? 'f64x2.splat' : wide ? 'i64x2.splat' : 'i32x4.splat');
    if (item.stride !== 0) {
      this.pushSteps(item.stride, wide, w);
      code.op(wide ? 'i64x2.add' : 'i32x4.add');
      if (TYPE_BYTES[type] < 4) this.narrow(type);
    }
    if (!keep) return;
    const places = this.spread.get(id) ?? [];
    const local = this.spreadLocals.get(`${id}/${vector}`) ?? code.local('v128');
    this.spreadLocals.set(`${id}/${vector}`, local);
    places[vector] = local;
    this.spread.set(id, places);
    code.tee(local);
  }

  /** Forgets what has been spread over lanes: of a register that gets a new value, or all, where code is entered from elsewhere. */
  forget(id?: number): void {
    if (id === undefined) this.spread.clear();
    else this.spread.delete(id);
  }

  /** Code that may not run must not be relied on by what follows. */
  conditionally(emit: () => void): void {
    const before = this.keeping;
    this.keeping = false;
    emit();
    this.keeping = before;
  }

  /** Pushes stride * lane for the lanes of vector `w`. */
  pushSteps(stride: number, wide: boolean, w: number): void {
    if (wide) {
      const words = [0, 1].flatMap((k) => {
        const value = BigInt.asUintN(64, BigInt(stride) * BigInt(2 * w + k));
        return [Number(value & 0xffffffffn), Number(value >> 32n)];
      });
      this.code.v128(words);
    } else this.code.v128([0, 1, 2, 3].map((k) => Math.imul(stride, 4 * w + k)));
  }

  private pushConstant(bits: bigint, type: PtxType): void {
    if (TYPE_BYTES[type] === 8) {
      const value = BigInt.asUintN(64, bits);
      const pair = [Number(value & 0xffffffffn), Number(value >> 32n)];
      this.code.v128([...pair, ...pair]);
    } else {
      const width = 8 * TYPE_BYTES[type];
      const signed = type === 's16' || type === 's8';
      this.code.splat32(Number(signed ? BigInt.asIntN(width, bits) : BigInt.asUintN(width, bits)));
    }
  }

  private pushVarying(id: number, type: PtxType, w: number): void {
    const { code } = this;
    const vectors = this.vectorsOf(id);
    const size = TYPE_BYTES[type];
    if (this.isWide(id) && size < 8) {
      // The low words of four 64-bit lanes.
      code
        .get(vectors[2 * w]!)
        .get(vectors[2 * w + 1]!)
        .shuffle32([0, 2, 4, 6]);
      if (size < 4) this.narrow(type);
      return;
    }
    code.get(vectors[w]!);
    if (type !== 'pred' && size < 4) {
      const bytes = TYPE_BYTES[this.scalar.kernel.registers[id]!.type];
      if (bytes > size || type === 's16' || type === 's8') this.narrow(type);
    }
  }

  /** Brings 32-bit lanes into the form of an 8- or 16-bit type. */
  narrow(type: PtxType): void {
    const { code } = this;
    const shift = 32 - 8 * TYPE_BYTES[type];
    code.i32(shift).op('i32x4.shl').i32(shift);
    code.op(type === 's16' || type === 's8' ? 'i32x4.shr_s' : 'i32x4.shr_u');
  }

  /** Stores the vector on the stack as vector `w` of a varying register, in the form of `type`. */
  set(id: number, type: PtxType, w: number): void {
    const bytes = TYPE_BYTES[this.scalar.kernel.registers[id]!.type];
    if (type !== 'pred' && bytes === 2) this.narrow('u16');
    this.code.set(this.vectorsOf(id)[w]!);
  }

  /** Extracts lane `k` of a varying register as a scalar of its local's type. */
  extract(id: number, k: number): void {
    const { code } = this;
    const local = this.scalar.facts.localType[id]!;
    const vectors = this.vectorsOf(id);
    if (this.isWide(id)) {
      code.get(vectors[k >> 1]!).lane(local === 'f64' ? 'f64x2.extract_lane' : 'i64x2.extract_lane', k & 1);
      return;
    }
    code.get(vectors[k >> 2]!).lane(local === 'f32' ? 'f32x4.extract_lane' : 'i32x4.extract_lane', k & 3);
    if (this.isPredicate(id)) code.i32(1).op('i32.and');
  }

  /** Puts a scalar local into lane `k` of a varying register. */
  insert(id: number, k: number, local: number): void {
    const { code } = this;
    const type = this.scalar.facts.localType[id]!;
    const vectors = this.vectorsOf(id);
    if (this.isWide(id)) {
      const vector = vectors[k >> 1]!;
      code
        .get(vector)
        .get(local)
        .lane(type === 'f64' ? 'f64x2.replace_lane' : 'i64x2.replace_lane', k & 1)
        .set(vector);
      return;
    }
    const vector = vectors[k >> 2]!;
    code.get(vector);
    if (this.isPredicate(id)) code.i32(0).get(local).op('i32.sub');
    else code.get(local);
    code.lane(type === 'f32' ? 'f32x4.replace_lane' : 'i32x4.replace_lane', k & 3).set(vector);
  }
}
