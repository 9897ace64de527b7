/** Floating-point arithmetic of PTX (ISA 9.7.3, 9.7.4) as WebAssembly. Halves and rare forms call `math`. */
import * as math from '../../math/index.ts';
import type { Arithmetic, Operand, PtxType } from '../../ptx/ir.ts';
import { CannotCompile } from '../cannot-compile.ts';
import { wasmType } from '../registers.ts';
import type { FunctionBuilder } from '../wasm/encoder.ts';
import type { PlainOp } from '../wasm/opcodes.ts';
import type { ScalarContext } from './context.ts';
import { type Directed, demoteDirected, ex2, fusedByF64, lg2, sumDirected } from './helpers.ts';

type Emit = (context: ScalarContext, instruction: Arithmetic) => void;
type Float = 'f32' | 'f64';

const unsupported = (instruction: Arithmetic): never => {
  throw new CannotCompile(`'${instruction.text}'`, instruction.line);
};

const op = (type: Float, name: string): PlainOp => `${type}.${name}` as PlainOp;

export const isHalf = (type: PtxType): boolean =>
  type === 'f16' || type === 'bf16' || type === 'f16x2' || type === 'bf16x2';

function floatType(instruction: Arithmetic): Float {
  const { type } = instruction;
  return type === 'f32' || type === 'f64' ? type : unsupported(instruction);
}

/** Replaces a subnormal f32 on the stack by zero of its sign. */
export function flush(context: ScalarContext): void {
  const { code } = context;
  context.temp('f32', (x) => {
    code
      .tee(x)
      .f32(0)
      .op('f32.mul')
      .get(x)
      .get(x)
      .op('f32.abs')
      .f32(2 ** -126)
      .op('f32.lt')
      .op('select');
  });
}

/** Clamps the value on the stack to [+0, 1], NaN to +0. */
export function saturate(context: ScalarContext, type: Float): void {
  const { code } = context;
  const one = (): FunctionBuilder => (type === 'f32' ? code.f32(1) : code.f64(1));
  const zero = (): FunctionBuilder => (type === 'f32' ? code.f32(0) : code.f64(0));
  context.temp(type, (x) => {
    code.set(x);
    code.get(x);
    one();
    code.get(x);
    one();
    code.op(op(type, 'lt')).op('select');
    zero();
    code.get(x);
    zero();
    code.op(op(type, 'gt')).op('select');
  });
}

function pushFlushed(context: ScalarContext, operand: Operand, instruction: Arithmetic): void {
  context.push(operand, instruction.type);
  if (instruction.ftz && instruction.type === 'f32') flush(context);
}

/** Applies the result modifiers and stores. */
function finish(context: ScalarContext, instruction: Arithmetic): void {
  const type = floatType(instruction);
  if (instruction.ftz && type === 'f32') flush(context);
  if (instruction.sat) saturate(context, type);
  context.set(instruction.dst[0]!, type);
}

/** The directed mode of an instruction; undefined for nearest. */
const directed = (instruction: Arithmetic): Directed | undefined =>
  instruction.rounding === 'rz' || instruction.rounding === 'rm' || instruction.rounding === 'rp'
    ? instruction.rounding
    : undefined;

function call64(context: ScalarContext, instruction: Arithmetic, name: string, f: (...args: never[]) => number): void {
  for (const operand of instruction.src) context.push(operand, 'f64');
  context.code.call(
    context.unit.importMath(
      name,
      f,
      instruction.src.map(() => 'f64'),
      'f64',
    ),
  );
  context.set(instruction.dst[0]!, 'f64');
}

/** A function of `math` on the bits of halves; packed forms apply it to both. */
export function callHalf(
  context: ScalarContext,
  instruction: Arithmetic,
  name: string,
  f: (...args: number[]) => number,
): void {
  const { type } = instruction;
  const packed = type === 'f16x2' || type === 'bf16x2';
  const register: PtxType = packed ? 'b32' : 'b16';
  for (const operand of instruction.src) context.push(operand, register);
  const target = packed
    ? (...args: number[]) => (f(...args.map((x) => x >>> 16)) << 16) | (f(...args.map((x) => x & 0xffff)) & 0xffff)
    : f;
  const key = `${name}.${type}.${instruction.ftz}.${instruction.sat}.${instruction.relu}.${instruction.nan}.${instruction.xorsignAbs}`;
  context.code.call(
    context.unit.importMath(
      key,
      target,
      instruction.src.map(() => 'i32'),
      'i32',
    ),
  );
  context.set(instruction.dst[0]!, register);
}

const halfOf = (type: PtxType): math.HalfType => (type.startsWith('bf16') ? 'bf16' : 'f16');

const binary =
  (name: 'add' | 'sub' | 'mul' | 'div'): Emit =>
  (context, instruction) => {
    const { code } = context;
    if (isHalf(instruction.type)) {
      if (name === 'div') unsupported(instruction);
      callHalf(
        context,
        instruction,
        name,
        math.binaryHalf(name as 'add', halfOf(instruction.type), instruction) as (...args: number[]) => number,
      );
      return;
    }
    const type = floatType(instruction);
    const mode = directed(instruction);
    const [a, b] = instruction.src as [Operand, Operand];
    if (name === 'div' && instruction.approx) {
      pushFlushed(context, a, { ...instruction });
      pushFlushed(context, b, { ...instruction });
      code.call(
        context.unit.importMath('divApprox', (x: number, y: number) => math.divApprox(x, y), ['f32', 'f32'], 'f32'),
      );
      finish(context, instruction);
      return;
    }
    if (type === 'f64' && mode) {
      const f = { add: math.add64, sub: math.sub64, mul: math.mul64, div: math.div64 }[name];
      call64(context, instruction, `${name}64.${mode}`, (x: number, y: number) => f(x, y, mode));
      return;
    }
    if (!mode) {
      pushFlushed(context, a, instruction);
      pushFlushed(context, b, instruction);
      code.op(op(type, name));
      finish(context, instruction);
      return;
    }
    pushFlushed(context, a, instruction);
    code.op('f64.promote_f32');
    pushFlushed(context, b, instruction);
    code.op('f64.promote_f32');
    if (name === 'sub') code.op('f64.neg');
    if (name === 'add' || name === 'sub') code.call(sumDirected(context.unit, mode));
    else code.op(op('f64', name)).call(demoteDirected(context.unit, mode));
    finish(context, instruction);
  };

const fused: Emit = (context, instruction) => {
  const { code } = context;
  const { type } = instruction;
  if (isHalf(type)) {
    callHalf(context, instruction, 'fma', math.fmaHalf(halfOf(type), instruction) as (...args: number[]) => number);
    return;
  }
  const mode = directed(instruction);
  if (floatType(instruction) === 'f64') {
    if (mode || !context.unit.fused)
      call64(context, instruction, `fma64.${mode ?? 'rn'}`, (a: number, b: number, c: number) =>
        math.fma64(a, b, c, mode ?? 'rn'),
      );
    else {
      for (const operand of instruction.src) {
        context.push(operand, 'f64');
        code.op('f64x2.splat');
      }
      code.op('f64x2.relaxed_madd').lane('f64x2.extract_lane', 0);
      context.set(instruction.dst[0]!, 'f64');
    }
    return;
  }
  const [a, b, c] = instruction.src as [Operand, Operand, Operand];
  if (mode) {
    pushFlushed(context, a, instruction);
    code.op('f64.promote_f32');
    pushFlushed(context, b, instruction);
    code.op('f64.promote_f32').op('f64.mul');
    pushFlushed(context, c, instruction);
    code.op('f64.promote_f32').call(sumDirected(context.unit, mode));
  } else if (context.unit.fused) {
    for (const operand of instruction.src) {
      pushFlushed(context, operand, instruction);
      code.op('f32x4.splat');
    }
    code.op('f32x4.relaxed_madd').lane('f32x4.extract_lane', 0);
  } else {
    for (const operand of instruction.src) pushFlushed(context, operand, instruction);
    code.call(fusedByF64(context.unit));
  }
  finish(context, instruction);
};

const sign =
  (name: 'neg' | 'abs'): Emit =>
  (context, instruction) => {
    if (isHalf(instruction.type)) {
      const f = name === 'neg' ? math.negHalf : math.absHalf;
      const type = halfOf(instruction.type);
      callHalf(context, instruction, name, (a = 0) => f(a, type, instruction.ftz));
      return;
    }
    pushFlushed(context, instruction.src[0]!, instruction);
    context.code.op(op(floatType(instruction), name));
    context.set(instruction.dst[0]!, instruction.type);
  };

const extremum =
  (name: 'min' | 'max'): Emit =>
  (context, instruction) => {
    const { code } = context;
    if (isHalf(instruction.type)) {
      callHalf(
        context,
        instruction,
        name,
        math.minMaxHalf(name, halfOf(instruction.type), instruction) as (...args: number[]) => number,
      );
      return;
    }
    const type = floatType(instruction);
    if (instruction.xorsignAbs || instruction.src.length > 2) unsupported(instruction);
    context.temp(type, (a) =>
      context.temp(type, (b) => {
        pushFlushed(context, instruction.src[0]!, instruction);
        code.set(a);
        pushFlushed(context, instruction.src[1]!, instruction);
        code.set(b);
        // WebAssembly orders the zeros as PTX does, and gives NaN for a NaN operand, as .NaN asks.
        if (instruction.nan) code.get(a).get(b).op(op(type, name));
        else {
          code.get(b).get(a).get(a).get(b).op(op(type, name));
          code.get(b).get(b).op(op(type, 'ne')).op('select');
          code.get(a).get(a).op(op(type, 'ne')).op('select');
        }
        context.set(instruction.dst[0]!, type);
      }),
    );
  };

const root: Emit = (context, instruction) => {
  const { code } = context;
  const type = floatType(instruction);
  const mode = directed(instruction);
  const name = instruction.op;
  if (type === 'f64') {
    if (instruction.approx) {
      const f = name === 'rcp' ? math.rcpApproxF64 : instruction.ftz ? math.rsqrtApproxF64Ftz : math.rsqrtApproxF64;
      call64(context, instruction, `${name}64.${instruction.ftz}`, f);
    } else if (mode) {
      const f = name === 'rcp' ? math.rcp64 : math.sqrt64;
      call64(context, instruction, `${name}64.${mode}`, (a: number) => f(a, mode));
    } else {
      if (name === 'rcp') code.f64(1);
      context.push(instruction.src[0]!, 'f64');
      code.op(name === 'rcp' ? 'f64.div' : 'f64.sqrt');
      context.set(instruction.dst[0]!, 'f64');
    }
    return;
  }
  if (name === 'rsqrt') {
    code.f64(1);
    pushFlushed(context, instruction.src[0]!, instruction);
    code.op('f64.promote_f32').op('f64.sqrt').op('f64.div').op('f32.demote_f64');
    context.set(instruction.dst[0]!, 'f32');
    return;
  }
  if (mode) {
    if (name === 'rcp') code.f64(1);
    pushFlushed(context, instruction.src[0]!, instruction);
    code
      .op('f64.promote_f32')
      .op(name === 'rcp' ? 'f64.div' : 'f64.sqrt')
      .call(demoteDirected(context.unit, mode));
  } else {
    if (name === 'rcp') code.f32(1);
    pushFlushed(context, instruction.src[0]!, instruction);
    code.op(name === 'rcp' ? 'f32.div' : 'f32.sqrt');
  }
  finish(context, instruction);
};

/** Approximations that are functions of `math`; ex2 and lg2 have fast equals in WebAssembly. */
const approximation: Emit = (context, instruction) => {
  const { code } = context;
  const { op: name, type } = instruction;
  if (isHalf(type)) {
    const f = { ex2: { f16: math.ex2F16, bf16: math.ex2Bf16 }, tanh: { f16: math.tanhF16, bf16: math.tanhBf16 } }[
      name as 'ex2' | 'tanh'
    ];
    if (!f) unsupported(instruction);
    callHalf(context, instruction, name, f[halfOf(type)] as (...args: number[]) => number);
    return;
  }
  floatType(instruction);
  pushFlushed(context, instruction.src[0]!, instruction);
  if (name === 'ex2') code.call(ex2(context.unit));
  else if (name === 'lg2') code.call(lg2(context.unit));
  else {
    const f = { sin: math.sinApprox, cos: math.cosApprox, tanh: math.tanhApprox }[name as 'sin' | 'cos' | 'tanh'];
    code.call(context.unit.importMath(`${name}32`, (a: number) => f(a), ['f32'], 'f32'));
  }
  finish(context, instruction);
};

/** testp. Zeros are neither normal nor subnormal. */
const test: Emit = (context, instruction) => {
  const { code } = context;
  const type = floatType(instruction);
  const constant = (value: number): FunctionBuilder => (type === 'f32' ? code.f32(value) : code.f64(value));
  const least = type === 'f32' ? 2 ** -126 : 2 ** -1022;
  context.temp(type, (x) => {
    context.push(instruction.src[0]!, type);
    code.op(op(type, 'abs')).set(x).get(x);
    const compare = (name: string, value: number): void => {
      constant(value);
      code.op(op(type, name));
    };
    switch (instruction.variant) {
      case 'finite':
        compare('lt', Number.POSITIVE_INFINITY);
        break;
      case 'infinite':
        compare('eq', Number.POSITIVE_INFINITY);
        break;
      case 'number':
        code.get(x).op(op(type, 'eq'));
        break;
      case 'notanumber':
        code.get(x).op(op(type, 'ne'));
        break;
      case 'normal':
        compare('ge', least);
        code.get(x);
        compare('lt', Number.POSITIVE_INFINITY);
        code.op('i32.and');
        break;
      case 'subnormal':
        compare('lt', least);
        code.get(x);
        compare('gt', 0);
        code.op('i32.and');
        break;
      default:
        unsupported(instruction);
    }
    context.set(instruction.dst[0]!, 'pred');
  });
};

const copySign: Emit = (context, instruction) => {
  const type = floatType(instruction);
  // PTX: the sign of a on the magnitude of b. WebAssembly: the magnitude comes first.
  context.push(instruction.src[1]!, type);
  context.push(instruction.src[0]!, type);
  context.code.op(op(type, 'copysign'));
  context.set(instruction.dst[0]!, type);
};

/** Emitters of floating-point operations, by base opcode. */
export const FLOAT: Readonly<Record<string, Emit>> = {
  add: binary('add'),
  sub: binary('sub'),
  mul: binary('mul'),
  div: binary('div'),
  fma: fused,
  mad: fused,
  neg: sign('neg'),
  abs: sign('abs'),
  min: extremum('min'),
  max: extremum('max'),
  sqrt: root,
  rcp: root,
  rsqrt: root,
  ex2: approximation,
  lg2: approximation,
  sin: approximation,
  cos: approximation,
  tanh: approximation,
  testp: test,
  copysign: copySign,
};

/** True for types whose values are floating point. */
export const isFloatValue = (type: PtxType): boolean =>
  isHalf(type) || wasmType(type) === 'f32' || wasmType(type) === 'f64';
