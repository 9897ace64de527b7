/**
 * Integer and bit arithmetic of PTX (ISA 9.7.1, 9.7.2, 9.7.8) as WebAssembly. Where WebAssembly differs from PTX (shifts mask
 * their amount, division traps) the difference is made up inline; rare forms call the functions of `math` that the
 * interpreter uses.
 */
import * as math from '../../math/index.ts';
import type { Arithmetic, Operand, PtxType } from '../../ptx/ir.ts';
import { isSigned, TYPE_BYTES } from '../../ptx/ir.ts';
import { CannotCompile } from '../cannot-compile.ts';
import type { PlainOp } from '../wasm/opcodes.ts';
import type { ScalarContext } from './context.ts';

type Emit = (context: ScalarContext, instruction: Arithmetic) => void;

const unsupported = (instruction: Arithmetic): never => {
  throw new CannotCompile(`'${instruction.text}'`, instruction.line);
};

const wide = (type: PtxType): boolean => TYPE_BYTES[type] === 8;
const prefix = (type: PtxType): 'i32' | 'i64' => (wide(type) ? 'i64' : 'i32');
const op = (type: PtxType, name: string): PlainOp => `${prefix(type)}.${name}` as PlainOp;
const bits = (type: PtxType): number => 8 * TYPE_BYTES[type];
/** The other signedness of a type, or the type of twice the width. */
const unsignedOf = (type: PtxType): PtxType => `u${bits(type)}` as PtxType;
const doubleOf = (type: PtxType): PtxType => `${isSigned(type) ? 's' : 'u'}${2 * bits(type)}` as PtxType;

function pushConstant(context: ScalarContext, type: PtxType, value: number): void {
  if (wide(type)) context.code.i64(BigInt(value));
  else context.code.i32(value);
}

function pushSources(context: ScalarContext, instruction: Arithmetic, type: PtxType = instruction.type): void {
  for (const operand of instruction.src) context.push(operand, type);
}

/** Pushes an operand extended to i64 by the signedness of its type. */
function pushExtended(context: ScalarContext, operand: Operand, type: PtxType): void {
  context.push(operand, type);
  context.code.op(isSigned(type) ? 'i64.extend_i32_s' : 'i64.extend_i32_u');
}

const simple =
  (name: string): Emit =>
  (context, instruction) => {
    pushSources(context, instruction);
    context.code.op(op(instruction.type, name));
    context.set(instruction.dst[0]!, instruction.type);
  };

/** Calls the interpreter's own function: 32-bit and 16-bit operands as numbers, 64-bit ones as BigInt. */
function imported(
  context: ScalarContext,
  instruction: Arithmetic,
  name: string,
  f: (...args: never[]) => number | bigint,
  sources: readonly PtxType[],
  result: PtxType,
): void {
  for (const [index, type] of sources.entries()) context.push(instruction.src[index]!, type);
  context.code.call(context.unit.importMath(name, f, sources.map(prefix), prefix(result)));
  context.set(instruction.dst[0]!, result);
}

const additive =
  (name: 'add' | 'sub'): Emit =>
  (context, instruction) => {
    const { type } = instruction;
    if (instruction.carryOut) carried(context, instruction, name, false);
    else if (instruction.sat)
      imported(
        context,
        instruction,
        `${name}Sat`,
        name === 'add' ? math.addSatS32 : math.subSatS32,
        ['s32', 's32'],
        's32',
      );
    else if (type === 'u16x2' || type === 's16x2') packedAdd(context, instruction, name);
    else simple(name)(context, instruction);
  };

function packedAdd(context: ScalarContext, instruction: Arithmetic, name: 'add' | 'sub'): void {
  const { code } = context;
  const operator = `i32.${name}` as const;
  const [a, b] = instruction.src as [Operand, Operand];
  context.push(a, 'b32');
  context.push(b, 'b32');
  code.op(operator).i32(0xffff).op('i32.and');
  for (const operand of [a, b]) {
    context.push(operand, 'b32');
    code.i32(-65536).op('i32.and');
  }
  code.op(operator).op('i32.or');
  context.set(instruction.dst[0]!, 'b32');
}

/** add.cc, addc, sub.cc, subc: `withCarry` reads the flag. */
function carried(context: ScalarContext, instruction: Arithmetic, name: 'add' | 'sub', withCarry: boolean): void {
  const { code } = context;
  const [a, b] = instruction.src as [Operand, Operand];
  const type = unsignedOf(instruction.type);
  if (!wide(type)) {
    pushExtended(context, a, type);
    pushExtended(context, b, type);
    code.op(`i64.${name}`);
    if (withCarry) code.get(context.carry(instruction, false)).op('i64.extend_i32_u').op(`i64.${name}`);
    context.temp('i64', (sum) => {
      code.set(sum);
      // A borrow leaves all upper bits set, a carry leaves bit 32.
      if (instruction.carryOut)
        code
          .get(sum)
          .i64(32n)
          .op('i64.shr_u')
          .op('i32.wrap_i64')
          .i32(1)
          .op('i32.and')
          .set(context.carry(instruction, true));
      code.get(sum).op('i32.wrap_i64');
      context.set(instruction.dst[0]!, type);
    });
    return;
  }
  context.temp('i64', (x) =>
    context.temp('i64', (y) => {
      context.temp('i32', (flag) => {
        const lost = (): void => {
          // After x = x +- y: a sum below an addend overflowed, a difference above the minuend borrowed.
          if (name === 'add') code.get(x).get(y).op('i64.lt_u');
          else code.get(x).get(y).op('i64.add').get(y).op('i64.lt_u');
        };
        context.push(a, type);
        code.set(x);
        context.push(b, type);
        code.set(y).get(x).get(y).op(`i64.${name}`).set(x);
        lost();
        code.set(flag);
        if (withCarry) {
          code.get(context.carry(instruction, false)).op('i64.extend_i32_u').set(y);
          code.get(x).get(y).op(`i64.${name}`).set(x);
          lost();
          code.get(flag).op('i32.or').set(flag);
        }
        if (instruction.carryOut) code.get(flag).set(context.carry(instruction, true));
        code.get(x);
        context.set(instruction.dst[0]!, type);
      });
    }),
  );
}

/** Pushes the low or high half of a product. */
function pushProduct(context: ScalarContext, instruction: Arithmetic, half: 'lo' | 'hi'): void {
  const { code } = context;
  const { type } = instruction;
  const [a, b] = instruction.src as [Operand, Operand];
  if (half === 'lo' || bits(type) === 16) {
    context.push(a, type);
    context.push(b, type);
    code.op(op(type, 'mul'));
    if (half === 'hi') code.i32(16).op('i32.shr_s');
  } else if (wide(type)) {
    context.push(a, type);
    context.push(b, type);
    code.call(context.unit.mulHigh64(isSigned(type)));
  } else {
    pushExtended(context, a, type);
    pushExtended(context, b, type);
    code.op('i64.mul').i64(32n).op('i64.shr_u').op('i32.wrap_i64');
  }
}

function pushWideProduct(context: ScalarContext, instruction: Arithmetic): void {
  const { type } = instruction;
  const [a, b] = instruction.src as [Operand, Operand];
  if (bits(type) === 16) {
    context.push(a, type);
    context.push(b, type);
    context.code.op('i32.mul');
  } else {
    pushExtended(context, a, type);
    const constant = context.constantOf(b);
    if (constant !== undefined) {
      const value = isSigned(type) ? BigInt.asIntN(32, constant) : BigInt.asUintN(32, constant);
      context.code.i64(value);
    } else pushExtended(context, b, type);
    context.code.op('i64.mul');
  }
}

const multiply: Emit = (context, instruction) => {
  if (instruction.half === 'wide') {
    pushWideProduct(context, instruction);
    context.set(instruction.dst[0]!, doubleOf(instruction.type));
  } else {
    pushProduct(context, instruction, instruction.half ?? 'lo');
    context.set(instruction.dst[0]!, instruction.type);
  }
};

const multiplyAdd: Emit = (context, instruction) => {
  const { type } = instruction;
  const addend = instruction.src[2]!;
  if (instruction.sat) {
    imported(
      context,
      instruction,
      'madHiSat',
      (a: number, b: number, c: number) => math.madHiS32(a, b, c, true),
      [type, type, type],
      type,
    );
    return;
  }
  if (instruction.carryOut || instruction.op === 'madc') {
    multiplyAddCarry(context, instruction);
    return;
  }
  if (instruction.half === 'wide') {
    const sum = doubleOf(type);
    pushWideProduct(context, instruction);
    context.push(addend, sum);
    context.code.op(op(sum, 'add'));
    context.set(instruction.dst[0]!, sum);
    return;
  }
  pushProduct(context, instruction, instruction.half ?? 'lo');
  context.push(addend, type);
  context.code.op(op(type, 'add'));
  context.set(instruction.dst[0]!, type);
};

/** mad.{lo,hi}.cc and madc: 32 bits. The product's half plus c plus the carry. */
function multiplyAddCarry(context: ScalarContext, instruction: Arithmetic): void {
  const { code } = context;
  if (wide(instruction.type)) unsupported(instruction);
  pushProduct(context, instruction, instruction.half === 'hi' ? 'hi' : 'lo');
  code.op('i64.extend_i32_u');
  pushExtended(context, instruction.src[2]!, 'u32');
  code.op('i64.add');
  if (instruction.op === 'madc') code.get(context.carry(instruction, false)).op('i64.extend_i32_u').op('i64.add');
  context.temp('i64', (sum) => {
    code.set(sum);
    if (instruction.carryOut)
      code.get(sum).i64(32n).op('i64.shr_u').op('i32.wrap_i64').set(context.carry(instruction, true));
    code.get(sum).op('i32.wrap_i64');
    context.set(instruction.dst[0]!, 'u32');
  });
}

/** Division: x / 0 and x rem 0 are all ones, as `math` says; INT_MIN / -1 wraps. */
const divide =
  (name: 'div' | 'rem'): Emit =>
  (context, instruction) => {
    const { code } = context;
    const { type } = instruction;
    const signed = isSigned(type);
    const operator = op(type, `${name}_${signed ? 's' : 'u'}`);
    const [a, b] = instruction.src as [Operand, Operand];
    const constant = context.constantOf(b);
    const divisor = constant === undefined ? undefined : BigInt.asIntN(bits(type), constant);
    if (divisor !== undefined && divisor !== 0n && divisor !== -1n) {
      context.push(a, type);
      context.push(b, type);
      code.op(operator);
      context.set(instruction.dst[0]!, type);
      return;
    }
    context.temp(prefix(type), (x) =>
      context.temp(prefix(type), (y) => {
        context.push(a, type);
        code.set(x);
        context.push(b, type);
        code.tee(y).op(op(type, 'eqz')).if(prefix(type));
        pushConstant(context, type, -1);
        code.else();
        if (signed && name === 'div') {
          code.get(y);
          pushConstant(context, type, -1);
          code.op(op(type, 'eq')).if(prefix(type));
          pushConstant(context, type, 0);
          code.get(x).op(op(type, 'sub')).else().get(x).get(y).op(operator).end();
        } else code.get(x).get(y).op(operator);
        code.end();
        context.set(instruction.dst[0]!, type);
      }),
    );
  };

const absolute: Emit = (context, instruction) => {
  const { code } = context;
  const { type } = instruction;
  context.temp(prefix(type), (x) => {
    pushConstant(context, type, 0);
    context.push(instruction.src[0]!, type);
    code.tee(x).op(op(type, 'sub')).get(x).get(x);
    pushConstant(context, type, 0);
    code.op(op(type, 'lt_s')).op('select');
    context.set(instruction.dst[0]!, type);
  });
};

const negate: Emit = (context, instruction) => {
  pushConstant(context, instruction.type, 0);
  context.push(instruction.src[0]!, instruction.type);
  context.code.op(op(instruction.type, 'sub'));
  context.set(instruction.dst[0]!, instruction.type);
};

const extremum =
  (name: 'min' | 'max'): Emit =>
  (context, instruction) => {
    const { code } = context;
    const { type } = instruction;
    if (type === 'u16x2' || type === 's16x2') unsupported(instruction);
    context.temp(prefix(type), (x) =>
      context.temp(prefix(type), (y) => {
        context.push(instruction.src[0]!, type);
        code.tee(x);
        context.push(instruction.src[1]!, type);
        code.tee(y).get(x).get(y);
        code.op(op(type, `${name === 'min' ? 'lt' : 'gt'}_${isSigned(type) ? 's' : 'u'}`)).op('select');
        if (instruction.relu) {
          code.tee(x).i32(0).get(x).i32(0).op('i32.gt_s').op('select');
        }
        context.set(instruction.dst[0]!, type);
      }),
    );
  };

/** sad: c + |a - b|. */
const sad: Emit = (context, instruction) => {
  const { code } = context;
  const { type } = instruction;
  context.temp(prefix(type), (x) =>
    context.temp(prefix(type), (y) => {
      context.push(instruction.src[0]!, type);
      code.set(x);
      context.push(instruction.src[1]!, type);
      code.set(y).get(x).get(y).op(op(type, 'sub')).get(y).get(x).op(op(type, 'sub')).get(x).get(y);
      code.op(op(type, isSigned(type) ? 'gt_s' : 'gt_u')).op('select');
      context.push(instruction.src[2]!, type);
      code.op(op(type, 'add'));
      context.set(instruction.dst[0]!, type);
    }),
  );
};

/** popc and clz give an u32 whatever the operand's width. */
const count =
  (name: 'popcnt' | 'clz'): Emit =>
  (context, instruction) => {
    const { type } = instruction;
    context.push(instruction.src[0]!, type);
    context.code.op(op(type, name));
    if (wide(type)) context.code.op('i32.wrap_i64');
    context.set(instruction.dst[0]!, 'u32');
  };

const findBit: Emit = (context, instruction) => {
  const { code } = context;
  const { type } = instruction;
  const size = bits(type);
  context.push(instruction.src[0]!, type);
  if (isSigned(type))
    context.temp(prefix(type), (x) => {
      code.tee(x).get(x);
      pushConstant(context, type, size - 1);
      code.op(op(type, 'shr_s')).op(op(type, 'xor'));
    });
  code.op(op(type, 'clz'));
  if (wide(type)) code.op('i32.wrap_i64');
  context.temp('i32', (zeros) => {
    code.set(zeros);
    if (instruction.variant === 'shiftamt') code.i32(-1).get(zeros).get(zeros).i32(size).op('i32.eq').op('select');
    else
      code
        .i32(size - 1)
        .get(zeros)
        .op('i32.sub');
    context.set(instruction.dst[0]!, 'u32');
  });
};

/** Shift amounts are unsigned 32-bit and are not masked: from the width on, zeros or signs come in. */
const shift =
  (direction: 'l' | 'r'): Emit =>
  (context, instruction) => {
    const { code } = context;
    const { type } = instruction;
    const size = bits(type);
    const signed = direction === 'r' && isSigned(type);
    const operator = op(type, direction === 'l' ? 'shl' : signed ? 'shr_s' : 'shr_u');
    const [a, b] = instruction.src as [Operand, Operand];
    const constant = context.constantOf(b);
    if (constant !== undefined) {
      const amount = Number(BigInt.asUintN(32, constant));
      if (amount >= size && !signed) pushConstant(context, type, 0);
      else {
        context.push(a, type);
        if (amount > 0) {
          pushConstant(context, type, Math.min(amount, size - 1));
          code.op(operator);
        }
      }
      context.set(instruction.dst[0]!, type);
      return;
    }
    context.temp('i32', (amount) => {
      context.push(a, type);
      context.push(b, 'u32');
      code.set(amount);
      const push = (): void => {
        code.get(amount);
        if (wide(type)) code.op('i64.extend_i32_u');
      };
      if (signed) {
        code
          .get(amount)
          .i32(size - 1)
          .get(amount)
          .i32(size)
          .op('i32.lt_u')
          .op('select');
        if (wide(type)) code.op('i64.extend_i32_u');
        code.op(operator);
      } else {
        push();
        code.op(operator);
        pushConstant(context, type, 0);
        code.get(amount).i32(size).op('i32.lt_u').op('select');
      }
      context.set(instruction.dst[0]!, type);
    });
  };

const funnel: Emit = (context, instruction) => {
  // variant is `l.wrap` and the like.
  const variant = instruction.variant ?? '';
  const left = variant.startsWith('l');
  const wrap = variant.endsWith('wrap');
  const { code } = context;
  const [a, b, c] = instruction.src as [Operand, Operand, Operand];
  const constant = context.constantOf(c);
  // {b, a} as one i64; amounts of 32 give the other word, which the 64-bit shift does by itself.
  pushExtended(context, b, 'u32');
  code.i64(32n).op('i64.shl');
  pushExtended(context, a, 'u32');
  code.op('i64.or');
  if (constant !== undefined) {
    const raw = Number(BigInt.asUintN(32, constant));
    code.i64(BigInt(wrap ? raw & 31 : Math.min(raw, 32)));
  } else if (wrap) {
    context.push(c, 'u32');
    code.i32(31).op('i32.and').op('i64.extend_i32_u');
  } else
    context.temp('i32', (amount) => {
      context.push(c, 'u32');
      code.tee(amount).i32(32).get(amount).i32(32).op('i32.lt_u').op('select').op('i64.extend_i32_u');
    });
  if (left) code.op('i64.shl').i64(32n).op('i64.shr_u');
  else code.op('i64.shr_u');
  code.op('i32.wrap_i64');
  context.set(instruction.dst[0]!, 'b32');
};

const extractField: Emit = (context, instruction) => {
  const { type } = instruction;
  const { code } = context;
  const position = context.constantOf(instruction.src[1]);
  const length = context.constantOf(instruction.src[2]);
  if (position !== undefined && length !== undefined) {
    const size = bits(type);
    const from = Number(position & 0xffn);
    const count_ = Number(length & 0xffn);
    if (count_ > 0 && from + count_ <= size) {
      context.push(instruction.src[0]!, type);
      pushConstant(context, type, size - from - count_);
      code.op(op(type, 'shl'));
      pushConstant(context, type, size - count_);
      code.op(op(type, isSigned(type) ? 'shr_s' : 'shr_u'));
      context.set(instruction.dst[0]!, type);
      return;
    }
  }
  const f = wide(type) ? (isSigned(type) ? math.bfeS64 : math.bfeU64) : isSigned(type) ? math.bfeS32 : math.bfeU32;
  imported(context, instruction, `bfe.${type}`, f, [type, 'u32', 'u32'], type);
};

const permute: Emit = (context, instruction) => {
  const { code } = context;
  const mode = instruction.variant as math.PermuteMode | undefined;
  const selector = context.constantOf(instruction.src[2]);
  if (mode !== undefined || selector === undefined) {
    imported(
      context,
      instruction,
      `prmt.${mode ?? ''}`,
      (a: number, b: number, c: number) => math.prmt(a, b, c, mode),
      ['b32', 'b32', 'b32'],
      'b32',
    );
    return;
  }
  const digits = Number(selector & 0xffffn);
  const [a, b] = instruction.src as [Operand, Operand];
  // Each run of target bytes that come from neighbouring source bytes is one shift and mask.
  let parts = 0;
  for (let at = 0; at < 4; ) {
    const digit = (digits >> (4 * at)) & 0xf;
    const from = digit & 3;
    const source = (digit & 4) !== 0 ? b : a;
    if ((digit & 8) !== 0) {
      context.push(source, 'b32');
      code
        .i32(24 - 8 * from)
        .op('i32.shl')
        .i32(31)
        .op('i32.shr_s')
        .i32(0xff << (8 * at))
        .op('i32.and');
      at++;
    } else {
      let run = 1;
      while (at + run < 4 && from + run < 4 && ((digits >> (4 * (at + run))) & 0xf) === digit + run) run++;
      const mask = (run === 4 ? -1 : (1 << (8 * run)) - 1) << (8 * at);
      context.push(source, 'b32');
      const left = 8 * (at - from);
      if (left > 0) code.i32(left).op('i32.shl');
      else if (left < 0) code.i32(-left).op('i32.shr_u');
      if (mask !== -1) code.i32(mask).op('i32.and');
      at += run;
    }
    if (parts++ > 0) code.op('i32.or');
  }
  context.set(instruction.dst[0]!, 'b32');
};

const logic3: Emit = (context, instruction) => {
  const { code } = context;
  const table = Number(context.constantOf(instruction.src[3]) ?? unsupported(instruction)) & 0xff;
  let parts = 0;
  // Sum of minterms; V8 folds the common ones well enough.
  for (let minterm = 0; minterm < 8; minterm++) {
    if (((table >> minterm) & 1) === 0) continue;
    [4, 2, 1].forEach((bit, index) => {
      context.push(instruction.src[index]!, 'b32');
      if ((minterm & bit) === 0) code.i32(-1).op('i32.xor');
      if (index > 0) code.op('i32.and');
    });
    if (parts++ > 0) code.op('i32.or');
  }
  if (parts === 0) code.i32(0);
  context.set(instruction.dst[0]!, 'b32');
};

const invert: Emit = (context, instruction) => {
  const { type } = instruction;
  context.push(instruction.src[0]!, type);
  if (type === 'pred') context.code.op('i32.eqz');
  else {
    pushConstant(context, type, -1);
    context.code.op(op(type, 'xor'));
  }
  context.set(instruction.dst[0]!, type);
};

const conditionalNot: Emit = (context, instruction) => {
  const { type } = instruction;
  context.push(instruction.src[0]!, type);
  context.code.op(op(type, 'eqz'));
  if (wide(type)) context.code.op('i64.extend_i32_u');
  context.set(instruction.dst[0]!, type);
};

const reverse: Emit = (context, instruction) => {
  const { type } = instruction;
  if (wide(type)) imported(context, instruction, 'brev64', math.brev64, [type], type);
  else imported(context, instruction, 'brev32', math.brev32, [type], type);
};

const insertField: Emit = (context, instruction) => {
  const { type } = instruction;
  if (wide(type)) imported(context, instruction, 'bfi64', math.bfi64, [type, type, 'u32', 'u32'], type);
  else imported(context, instruction, 'bfi32', math.bfi32, [type, type, 'u32', 'u32'], type);
};

const mode = (instruction: Arithmetic): math.ShiftMode => (instruction.variant === 'wrap' ? 'wrap' : 'clamp');

/** Emitters of integer and bit operations, by base opcode. */
export const INTEGER: Readonly<Record<string, Emit>> = {
  add: additive('add'),
  sub: additive('sub'),
  addc: (context, instruction) => carried(context, instruction, 'add', true),
  subc: (context, instruction) => carried(context, instruction, 'sub', true),
  mul: multiply,
  mad: multiplyAdd,
  madc: multiplyAdd,
  mul24: (context, instruction) => {
    const signed = isSigned(instruction.type);
    const f =
      instruction.half === 'hi'
        ? signed
          ? math.mul24HiS32
          : math.mul24HiU32
        : signed
          ? math.mul24LoS32
          : math.mul24LoU32;
    imported(context, instruction, `mul24.${instruction.half}.${instruction.type}`, f, ['s32', 's32'], 's32');
  },
  div: divide('div'),
  rem: divide('rem'),
  abs: absolute,
  neg: negate,
  min: extremum('min'),
  max: extremum('max'),
  sad,
  popc: count('popcnt'),
  clz: count('clz'),
  bfind: findBit,
  brev: reverse,
  bfe: extractField,
  bfi: insertField,
  bmsk: (context, instruction) =>
    imported(
      context,
      instruction,
      `bmsk.${instruction.variant}`,
      (a: number, b: number) => math.bmsk(a, b, mode(instruction)),
      ['b32', 'b32'],
      'b32',
    ),
  szext: (context, instruction) =>
    imported(
      context,
      instruction,
      `szext.${instruction.variant}.${instruction.type}`,
      (a: number, b: number) => math.szext(a, b, isSigned(instruction.type), mode(instruction)),
      ['b32', 'b32'],
      'b32',
    ),
  fns: (context, instruction) => imported(context, instruction, 'fns', math.fns, ['b32', 'b32', 's32'], 'b32'),
  and: simple('and'),
  or: simple('or'),
  xor: simple('xor'),
  not: invert,
  cnot: conditionalNot,
  lop3: logic3,
  shl: shift('l'),
  shr: shift('r'),
  shf: funnel,
  prmt: permute,
  dp4a: (context, instruction) =>
    imported(
      context,
      instruction,
      `dp4a.${instruction.type}.${instruction.secondType}`,
      (a: number, b: number, c: number) =>
        math.dp4a(a, b, c, isSigned(instruction.type), isSigned(instruction.secondType ?? instruction.type)),
      ['b32', 'b32', 'b32'],
      'b32',
    ),
  dp2a: (context, instruction) =>
    imported(
      context,
      instruction,
      `dp2a.${instruction.half}.${instruction.type}.${instruction.secondType}`,
      (a: number, b: number, c: number) =>
        math.dp2a(
          a,
          b,
          c,
          isSigned(instruction.type),
          isSigned(instruction.secondType ?? instruction.type),
          instruction.half === 'hi' ? 'hi' : 'lo',
        ),
      ['b32', 'b32', 'b32'],
      'b32',
    ),
};
