/**
 * Loads, stores and atomics of every space, with the checks of memory-layout.ts inline: one branch decides bounds,
 * colour, alignment and initialisation; what it does not pass goes to a slow path in JavaScript that decides exactly,
 * reports, and says where the access may take place instead.
 */
import { GLOBAL_TAG, LOCAL_TAG, PARAM_TAG, SHARED_TAG } from '../../memory-layout.ts';
import type { Atomic, Instruction, MemoryAccess, Operand, PtxType, Space } from '../../ptx/ir.ts';
import { isSigned, TYPE_BYTES } from '../../ptx/ir.ts';
import { ARENA } from '../arena.ts';
import { CannotCompile } from '../cannot-compile.ts';
import { wasmType } from '../registers.ts';
import type { Unit } from '../unit.ts';
import type { FunctionBuilder, FunctionRef } from '../wasm/encoder.ts';
import type { MemoryOp } from '../wasm/opcodes.ts';
import { recordWrite } from '../written.ts';
import { callHalfAtomic, pushAtomicResult } from './atomics.ts';
import { reinterpret, ScalarContext } from './context.ts';

export type AccessKind = 'read' | 'write' | 'atomic';
/** Which access it is, for the slow path: an instruction, or a local that holds its number. */
export type Site = Instruction | number;
type Address = Extract<Operand, { kind: 'address' }>;

/** What the inline test compares with after the tag is rotated over the shadow byte: see {@link checkGlobal}. */
export const ROTATED_TAG = GLOBAL_TAG << 4;

/** The WebAssembly instruction that loads or stores a scalar of a type. */
export function transferOp(type: PtxType, access: 'load' | 'store'): MemoryOp {
  const wasm = wasmType(type);
  const bytes = TYPE_BYTES[type];
  if (bytes >= 4) return `${wasm}.${access}` as MemoryOp;
  const width = bytes === 1 ? '8' : '16';
  return (access === 'store' ? `i32.store${width}` : `i32.load${width}_${isSigned(type) ? 's' : 'u'}`) as MemoryOp;
}

export function emitMemory(context: ScalarContext, instruction: MemoryAccess): void {
  const { code } = context;
  const bytes = TYPE_BYTES[instruction.type] * instruction.vector;
  if (bytes > 16) throw new CannotCompile(`${8 * bytes}-bit access`, instruction.line);
  if (instruction.type === 'b128') throw new CannotCompile('128-bit access', instruction.line);
  const address = addressOperand(instruction);
  const value = instruction.op === 'ld' ? instruction.dst[0]! : instruction.src[1]!;
  const elements = value.kind === 'vector' ? value.elements : [value];
  const size = TYPE_BYTES[instruction.type];
  context.temp('i32', (place) => {
    const offset = pushPlace(
      context,
      instruction,
      address,
      instruction.space,
      instruction.op === 'ld' ? 'read' : 'write',
      bytes,
    );
    code.set(place);
    stamp(context, instruction, bytes, place);
    elements.forEach((element, index) => {
      if (instruction.op === 'ld') {
        if (element.kind === 'sink') return;
        code.get(place).memory(transferOp(instruction.type, 'load'), offset + index * size, alignment(size));
        context.set(element, instruction.type);
      } else {
        code.get(place);
        context.push(element, instruction.type);
        code.memory(transferOp(instruction.type, 'store'), offset + index * size, alignment(size));
      }
    });
  });
}

/** Stamps an access that has been decided, for the race filter. */
export function stamp(context: ScalarContext, instruction: MemoryAccess | Atomic, bytes: number, place: number): void {
  const { code, unit } = context;
  unit.races?.touch(code, instruction, bytes, place, context.thread, context.lanes, () => {
    pushAddress64(context, addressOperand(instruction), true);
    code.i64(32n).op('i64.shr_u').op('i32.wrap_i64');
  });
}

const alignment = (bytes: number): number => Math.log2(bytes);

export function addressOperand(instruction: Instruction): Address {
  const address = instruction.src[0];
  if (address?.kind !== 'address') throw new CannotCompile(`address of '${instruction.text}'`, instruction.line);
  return address;
}

/**
 * Pushes the i32 offset in memory of an access and returns a constant to add to it in the access itself. In checked mode
 * the access has been decided when this value is on the stack.
 */
export function pushPlace(
  context: ScalarContext,
  instruction: Instruction,
  address: Address,
  space: Space,
  access: AccessKind,
  bytes: number,
): number {
  const { code } = context;
  const { checked } = context.unit.options;
  const { base, offset } = address;
  if (base.kind === 'variable' && base.variable.space === 'param') {
    if (base.variable.owner !== 'kernel-parameter' || access !== 'read')
      throw new CannotCompile(`'${instruction.text}'`, instruction.line);
    const at = base.variable.offset + offset;
    if (at < 0 || at + bytes > context.kernel.entry.paramBytes)
      throw new CannotCompile('parameter access out of bounds', instruction.line);
    code.get(context.arena).memory('i32.load', ARENA.params);
    return at;
  }
  switch (space) {
    case 'global':
    case 'const': {
      if (base.kind === 'variable') {
        const allocation = context.unit.module.allocations.get(base.variable);
        if (!allocation) throw new CannotCompile(`address of '${base.variable.name}'`, instruction.line);
        const inside = offset >= 0 && offset + bytes <= allocation.bytes && (allocation.base + offset) % bytes === 0;
        // Module variables are always initialised, and constant memory may always be read.
        if (!checked || (inside && access === 'read' && allocation.readOnly)) {
          code.i32(allocation.base + offset);
          return 0;
        }
      }
      if (!checked) {
        pushAddress64(context, address, false);
        code.op('i32.wrap_i64');
        return foldable(address) ? offset : 0;
      }
      context.temp('i64', (a) => {
        pushAddress64(context, address, true);
        code.set(a);
        if (space === 'const' && access === 'read') checkConstant(context, instruction, a, bytes);
        else if (context.outOfLine) callPlace(context, instruction, 'global', a, access, bytes);
        else checkGlobal(context, instruction, a, access, bytes);
      });
      return 0;
    }
    case 'shared':
    case 'local': {
      pushOffset32(context, instruction, address, checked);
      if (!checked) {
        pushWindow(context, space);
        code.op('i32.add');
        return foldable(address) ? offset : 0;
      }
      context.temp('i32', (at) => {
        code.set(at);
        if (context.outOfLine)
          context.temp('i64', (a) => {
            code.get(at).op('i64.extend_i32_u').set(a);
            callPlace(context, instruction, space, a, access, bytes);
          });
        else checkWindow(context, instruction, at, space, access, bytes);
      });
      return 0;
    }
    case 'param':
    case 'generic':
      context.temp('i64', (a) => {
        pushAddress64(context, address, true);
        if (space === 'param') code.i64(BigInt(PARAM_TAG) << 32n).op('i64.or');
        code.set(a);
        if (context.outOfLine && checked) callPlace(context, instruction, 'generic', a, access, bytes);
        else checkGeneric(context, instruction, a, access, bytes);
      });
      return 0;
  }
}

/** Constant offsets that may go into the access: no wrap-around is possible below. */
const foldable = (address: Address): boolean =>
  address.base.kind === 'register' && address.offset >= 0 && address.offset < 0x10000;

export function pushAddress64(context: ScalarContext, address: Address, withOffset: boolean): void {
  const { code } = context;
  const { base, offset } = address;
  if (base.kind === 'register') {
    const wide = TYPE_BYTES[context.kernel.registers[base.id]!.type] === 8;
    if (wide) {
      context.pushRegister(base.id, 'u64');
      if (offset !== 0 && (withOffset || !foldable(address))) code.i64(BigInt(offset)).op('i64.add');
    } else {
      context.pushRegister(base.id, 'u32');
      if (offset !== 0 && (withOffset || !foldable(address))) code.i32(offset).op('i32.add');
      code.op('i64.extend_i32_u');
    }
  } else if (base.kind === 'variable') code.i64(context.unit.addressOf(base.variable) + BigInt(offset));
  else code.i64(BigInt(offset));
}

/** Pushes a shared or local address as i32. A 64-bit register's high word must be zero: otherwise the offset becomes absurd. */
export function pushOffset32(
  context: ScalarContext,
  instruction: Instruction,
  address: Address,
  checked: boolean,
): void {
  const { code } = context;
  const { base, offset } = address;
  if (base.kind === 'register') {
    if (TYPE_BYTES[context.kernel.registers[base.id]!.type] === 8) {
      context.pushRegister(base.id, 'u64');
      if (checked)
        context.temp('i64', (a) => {
          code.set(a);
          if (offset !== 0) code.get(a).i64(BigInt(offset)).op('i64.add').set(a);
          code.get(a).i64(32n).op('i64.shr_u').op('i64.eqz').op('i32.eqz').rarely();
          code.i32(context.unit.site(instruction)).get(a).get(context.thread).call(context.unit.slowPath).op('drop');
          code.i64(0xfffffff0n).set(a).end();
          code.get(a).op('i32.wrap_i64');
        });
      else {
        code.op('i32.wrap_i64');
        if (offset !== 0 && !foldable(address)) code.i32(offset).op('i32.add');
      }
    } else {
      context.pushRegister(base.id, 'u32');
      if (offset !== 0 && (checked || !foldable(address))) code.i32(offset).op('i32.add');
    }
  } else if (base.kind === 'variable') code.i32(Number(context.unit.addressOf(base.variable)) + offset);
  else code.i32(offset);
}

/** Pushes where the thread's window of a space begins in memory. */
export function pushWindow(context: ScalarContext, space: 'shared' | 'local'): void {
  const { code, unit } = context;
  if (space === 'shared') {
    code.get(context.sharedBase());
    return;
  }
  code.get(context.arena).memory('i32.load', ARENA.local);
  code.get(context.thread).i32(unit.localStride).op('i32.mul').op('i32.add');
}

/** Calls the slow path with the address in an i64 local; its result, an offset in memory, stays on the stack. */
function callSlow(context: ScalarContext, site: Site, address: number): void {
  if (typeof site === 'number') context.code.get(site);
  else context.code.i32(context.unit.site(site));
  context.code.get(address).get(context.thread).call(context.unit.slowPath);
}

/**
 * Decides about the global access at the i64 local `a` and pushes its offset in memory. With hi rotated left by four
 * bits, tag 0x7f00 + colour becomes 0x7f0c0, so that XOR with the shadow byte c << 4 | bits and with 0x7f00f leaves zero
 * exactly when tag, colour and all four bits agree.
 */
export function checkGlobal(
  context: ScalarContext,
  instruction: Site,
  a: number,
  access: AccessKind,
  bytes: number,
): void {
  const { code } = context;
  context.temp('i32', (place) =>
    context.temp('i32', (shadow) => {
      code.get(a).op('i32.wrap_i64').set(place);
      code.get(place).i32(2).op('i32.shr_u');
      code.memory(bytes === 16 ? 'i32.load' : bytes === 8 ? 'i32.load16_u' : 'i32.load8_u', 0, 0).set(shadow);
      code.get(a).i64(32n).op('i64.shr_u').op('i32.wrap_i64').i32(4).op('i32.rotl');
      pushShadowTest(code, place, shadow, access, bytes, ROTATED_TAG);
      code.rarely();
      callSlow(context, instruction, a);
      code.set(place);
      if (access === 'write') {
        code.else();
        markWritten(code, place, shadow, bytes, context.unit.options.shared);
      }
      code.end();
      // What the slow path refused is outside the map: it takes place in the arena.
      if (access !== 'read') recordWrite(context.unit, code, place, bytes);
      code.get(place);
    }),
  );
}

/**
 * With the expected tag on the stack (0 for windows), leaves an i32 that is zero exactly when the shadow word agrees.
 * A write needs the colour alone.
 */
export function pushShadowTest(
  code: FunctionBuilder,
  place: number,
  shadow: number,
  access: AccessKind,
  bytes: number,
  expected: number,
): void {
  const reads = access !== 'write';
  if (bytes >= 4) {
    const byte = reads ? 0xff : 0xf0;
    code
      .get(shadow)
      .i32(byte)
      .op('i32.and')
      .op('i32.xor')
      .i32(expected | (reads ? 0xf : 0))
      .op('i32.xor');
    if (bytes === 8)
      code.get(shadow).get(shadow).i32(8).op('i32.shr_u').op('i32.xor').i32(byte).op('i32.and').op('i32.or');
    if (bytes === 16) {
      // All four bytes are equal exactly when a rotation by one changes nothing.
      code.get(shadow).get(shadow).i32(8).op('i32.rotl').op('i32.xor');
      if (!reads) code.i32(0xf0f0f0f0 | 0).op('i32.and');
      code.op('i32.or');
    }
    code
      .get(place)
      .i32(bytes - 1)
      .op('i32.and')
      .op('i32.or');
    return;
  }
  code.get(shadow).i32(0xf0).op('i32.and').op('i32.xor').i32(expected).op('i32.xor');
  if (reads) {
    const ones = bytes === 1 ? 1 : 3;
    code
      .get(shadow)
      .get(place)
      .i32(4 - bytes)
      .op('i32.and')
      .op('i32.shr_u')
      .i32(ones)
      .op('i32.and')
      .i32(ones)
      .op('i32.xor')
      .op('i32.or');
  }
  if (bytes === 2) code.get(place).i32(1).op('i32.and').op('i32.or');
}

/** `between`: other threads may mark the same word. */
function markWritten(code: FunctionBuilder, place: number, shadow: number, bytes: number, between = false): void {
  const atomic = between && bytes < 4;
  code.get(place).i32(2).op('i32.shr_u');
  if (!atomic) code.get(shadow);
  if (bytes >= 4) code.i32(bytes === 16 ? 0x0f0f0f0f : bytes === 8 ? 0x0f0f : 0x0f);
  else
    code
      .i32(bytes === 1 ? 1 : 3)
      .get(place)
      .i32(bytes === 1 ? 3 : 2)
      .op('i32.and')
      .op('i32.shl');
  if (atomic) code.memory('i32.atomic.rmw8.or_u', 0, 0).op('drop');
  else code.op('i32.or').memory(bytes === 16 ? 'i32.store' : bytes === 8 ? 'i32.store16' : 'i32.store8', 0, 0);
}

/** Shared and local memory: bounds by a compare with the area's size, then the low nibbles of the shadow. */
export function checkWindow(
  context: ScalarContext,
  instruction: Site,
  at: number,
  space: 'shared' | 'local',
  access: AccessKind,
  bytes: number,
): void {
  const { code, unit } = context;
  const size = space === 'shared' ? unit.options.sharedBytes : unit.localStride;
  context.temp('i32', (place) =>
    context.temp('i32', (shadow) => {
      code.get(at);
      pushWindow(context, space);
      code.op('i32.add').set(place);
      code.get(place).i32(2).op('i32.shr_u');
      code.memory(bytes === 16 ? 'i32.load' : bytes === 8 ? 'i32.load16_u' : 'i32.load8_u', 0, 0).set(shadow);
      if (size < bytes) code.i32(1);
      else {
        // The colour nibble is zero in windows, except between shared variables; out of bounds the shadow is what it is.
        if (access === 'write' && !(space === 'shared' && unit.sharedGaps.length > 0)) {
          code.get(place);
          code.i32(bytes - 1).op('i32.and');
        } else {
          code.i32(0);
          pushShadowTest(code, place, shadow, access, bytes, 0);
        }
        code
          .get(at)
          .i32(size - bytes)
          .op('i32.gt_u')
          .op('i32.or');
      }
      code.rarely();
      context.temp('i64', (address) => {
        code.get(at).op('i64.extend_i32_u').set(address);
        callSlow(context, instruction, address);
      });
      code.set(place);
      if (access === 'write') {
        code.else();
        markWritten(code, place, shadow, bytes);
      }
      code.end().get(place);
    }),
  );
}

function callPlace(
  context: ScalarContext,
  instruction: Instruction,
  space: PlaceSpace,
  a: number,
  access: AccessKind,
  bytes: number,
): void {
  const { code, unit } = context;
  code
    .i32(unit.site(instruction))
    .get(a)
    .get(context.thread)
    .call(placeFunction(unit, space, access, bytes));
}

export type PlaceSpace = 'global' | 'shared' | 'local' | 'generic';

/** place(site, address, thread) -> offset in memory: the checks as a function, for code that has one access a lane. */
export function placeFunction(unit: Unit, space: PlaceSpace, access: AccessKind, bytes: number): FunctionRef {
  return unit.helper(`place.${space}.${access}.${bytes}`, ['i32', 'i64', 'i32'], ['i32'], (code) => {
    const arena = code.local('i32');
    const shared = code.local('i32');
    code.globalGet(unit.arena).tee(arena).memory('i32.load', ARENA.shared).set(shared);
    const context = new ScalarContext(unit, code, 2, arena, shared);
    if (space === 'global') checkGlobal(context, 0, 1, access, bytes);
    else if (space === 'generic') checkGeneric(context, 0, 1, access, bytes);
    else {
      const at = code.local('i32');
      code.get(1).op('i32.wrap_i64').set(at);
      checkWindow(context, 0, at, space, access, bytes);
    }
  });
}

/** Constant memory wears no colour (writes must be seen): compare with the ranges of the module's constants. */
function checkConstant(context: ScalarContext, instruction: Instruction, a: number, bytes: number): void {
  const { code } = context;
  const constants = [...context.unit.module.allocations.values()].filter(
    (item) => item.readOnly && item.bytes >= bytes,
  );
  const helper = context.unit.helper(`constant.${bytes}`, ['i64'], ['i32'], (body) => {
    for (const item of constants) {
      body
        .get(0)
        .i64(item.address)
        .op('i64.sub')
        .i64(BigInt(item.bytes - bytes))
        .op('i64.le_u')
        .if();
      body.i32(1).op('return').end();
    }
    body.i32(0);
  });
  code
    .get(a)
    .call(helper)
    .get(a)
    .i64(BigInt(bytes - 1))
    .op('i64.and')
    .op('i64.eqz')
    .op('i32.and')
    .if('i32');
  code.get(a).op('i32.wrap_i64').else();
  callSlow(context, instruction, a);
  code.end();
}

/** A generic address: its tag says which window. */
export function checkGeneric(
  context: ScalarContext,
  instruction: Site,
  a: number,
  access: AccessKind,
  bytes: number,
): void {
  const { code, unit } = context;
  const { checked } = unit.options;
  context.temp('i32', (tag) =>
    context.temp('i32', (at) => {
      code.get(a).i64(32n).op('i64.shr_u').op('i32.wrap_i64').set(tag);
      code.get(a).op('i32.wrap_i64').set(at);
      for (const [window, value] of [
        ['shared', SHARED_TAG],
        ['local', LOCAL_TAG],
      ] as const) {
        code.get(tag).i32(value).op('i32.eq').if('i32');
        if (checked) checkWindow(context, instruction, at, window, access, bytes);
        else {
          code.get(at);
          pushWindow(context, window);
          code.op('i32.add');
        }
        code.else();
      }
      code.get(tag).i32(PARAM_TAG).op('i32.eq').if('i32');
      const within = context.kernel.entry.paramBytes - bytes;
      if (checked) {
        if (access !== 'read' || within < 0) code.i32(0);
        else
          code
            .get(at)
            .i32(within)
            .op('i32.le_u')
            .get(at)
            .i32(bytes - 1)
            .op('i32.and')
            .op('i32.eqz')
            .op('i32.and');
        code.if('i32');
      }
      code.get(at).get(context.arena).memory('i32.load', ARENA.params).op('i32.add');
      if (checked) {
        code.else();
        callSlow(context, instruction, a);
        code.end();
      }
      code.else();
      if (checked) checkGlobal(context, instruction, a, access, bytes);
      else code.get(at);
      code.end().end().end();
    }),
  );
}

/** Stores a new value unless another thread has changed the old one; leaves 1 when it has. */
function emitExchange(
  context: ScalarContext,
  type: PtxType,
  old: number,
  place: number,
  offset: number,
  push: () => void,
): void {
  const { code } = context;
  const bytes = TYPE_BYTES[type];
  const word = bytes === 8 ? 'i64' : 'i32';
  const bits = (): void => reinterpret(code, wasmType(type), word);
  code.get(place).get(old);
  bits();
  push();
  bits();
  if (bytes < 4) {
    // Sub-word values may be sign-extended; what is found in memory is not.
    code.i32(0xffff).op('i32.and').memory('i32.atomic.rmw16.cmpxchg_u', offset, 1).get(old).i32(0xffff).op('i32.and');
  } else {
    code.memory(`${word}.atomic.rmw.cmpxchg`, offset, alignment(bytes)).get(old);
    bits();
  }
  code.op(`${word}.ne`);
}

export function emitAtomic(context: ScalarContext, instruction: Atomic): void {
  const { code } = context;
  const { type } = instruction;
  const bytes = TYPE_BYTES[type];
  if (instruction.vector !== 1 || bytes > 8) throw new CannotCompile(`'${instruction.text}'`, instruction.line);
  const half = type === 'f16' || type === 'bf16' || type === 'f16x2' || type === 'bf16x2';
  const plain: PtxType = half ? (bytes === 2 ? 'b16' : 'b32') : type;
  const wasm = wasmType(plain);
  const result = instruction.dst[0];
  context.temp('i32', (place) =>
    context.temp(wasm, (old) => {
      const offset = pushPlace(context, instruction, addressOperand(instruction), instruction.space, 'atomic', bytes);
      code.set(place);
      stamp(context, instruction, bytes, place);
      const shared = context.unit.options.shared && instruction.space !== 'shared';
      const { checked } = context.unit.options;
      if (shared && checked) code.get(place).i32(ARENA.frames).op('i32.ge_u').if();
      const again = shared ? code.loop() : undefined;
      code.get(place).memory(transferOp(plain, 'load'), offset, alignment(bytes)).set(old);
      if (again) {
        emitExchange(context, plain, old, place, offset, () => {
          if (half) callHalfAtomic(context, instruction, old);
          else pushAtomicResult(context, instruction, old);
        });
        code.brIf(again).end();
        if (checked) code.end();
        if (result) {
          code.get(old);
          context.set(result, plain);
        }
        return;
      }
      // The operands are read before the result is stored: they may share a register. A faulty update goes nowhere.
      if (context.unit.options.checked) {
        code.get(place).i32(ARENA.frames).op('i32.ge_u').if();
        code.get(place);
      } else code.get(place);
      if (half) callHalfAtomic(context, instruction, old);
      else pushAtomicResult(context, instruction, old);
      code.memory(transferOp(plain, 'store'), offset, alignment(bytes));
      if (context.unit.options.checked) code.end();
      if (result) {
        code.get(old);
        context.set(result, plain);
      }
    }),
  );
}
