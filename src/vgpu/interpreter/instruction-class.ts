/** What an instruction counts as in a profile: its class, and the work of a tensor-core product. */
import type { Instruction } from '../ptx/ir.ts';
import { isFloat, TYPE_BYTES } from '../ptx/ir.ts';

const SPECIAL: ReadonlySet<string> = new Set(['rcp', 'rsqrt', 'sqrt', 'ex2', 'lg2', 'sin', 'cos', 'tanh', 'div']);

/** The class that an instruction counts for in a profile. */
export function classOf(i: Instruction): string {
  switch (i.kind) {
    case 'arithmetic':
      if (SPECIAL.has(i.op) && isFloat(i.type)) return i.type === 'f64' ? 'fp64' : 'special';
      if (!isFloat(i.type)) return 'int';
      return TYPE_BYTES[i.type] === 8 && i.type !== 'f32x2' ? 'fp64' : /16/.test(i.type) ? 'fp16' : 'fp32';
    case 'compare':
      if (!isFloat(i.type)) return 'int';
      return i.type === 'f64' ? 'fp64' : /16/.test(i.type) ? 'fp16' : 'fp32';
    case 'convert':
      return i.to === 'f64' || i.from === 'f64' ? 'fp64' : isFloat(i.to) || isFloat(i.from) ? 'special' : 'int';
    case 'memory':
      return i.space === 'param' ? 'other' : i.op === 'ld' ? 'load' : 'store';
    case 'async':
      return i.operation === 'copy' ? 'load' : 'other';
    case 'atomic':
      return 'atomic';
    case 'control':
      return 'branch';
    case 'barrier':
      return 'barrier';
    case 'warp':
      return i.op === 'warpsync' ? 'barrier' : 'shuffle';
    case 'matrix':
      if (i.operation === 'mma') return 'tensor';
      return i.operation === 'stmatrix' || i.operation === 'store-d' ? 'store' : 'load';
    default:
      return tensorWork(i) === undefined ? 'other' : 'tensor';
  }
}

export interface TensorWork {
  /** Type of the multiplied elements: `f16`, `bf16`, `tf32`, `f64`, `s8`, ..., after `wgmma.` for a warp group's products. */
  readonly type: string;
  /** Multiply-adds of one instruction, all lanes together. */
  readonly multiplyAdds: number;
}

/** The product that an instruction computes on the tensor cores, whatever its family (wmma, mma, wgmma). */
export function tensorWork({ text }: Instruction): TensorWork | undefined {
  const found = /\b(?:wmma\.mma|mma|wgmma\.mma_async)\.(?:\w+[.:]*)*?m(\d+)n(\d+)k(\d+)([.\w:]*)/.exec(text);
  if (!found) return undefined;
  const [, m, n, k, rest] = found;
  const types = rest!.split('.').filter((part) => /^(?:[fsub]f?\d+|tf32|e\dm\d)$/.test(part));
  // mma: d, a, b, c; wgmma: d, a, b; wmma of halves: d, c.
  const type = types.length >= 3 ? types[1]! : 'f16';
  // A wgmma is one instruction of each of four warps.
  const share = text.includes('wgmma') ? 4 : 1;
  return { type: share === 4 ? `wgmma.${type}` : type, multiplyAdds: (Number(m) * Number(n) * Number(k)) / share };
}
