/**
 * Faults in PTX: every instruction of a kernel is offered to a table of mistakes. They are made in PTX, not in CUDA, because there one line does one thing and nothing
 * optimises the mistake away: what is changed is what runs.
 */
import { createHash } from 'node:crypto';
import type { Build, PreparedCandidate } from '../../kernel/index.ts';
import type { Fault } from './fault.ts';

/** A kind of mistake: what an instruction becomes, or undefined where it does not apply. */
interface Mistake {
  kind: string;
  change(instruction: string): string | undefined;
}

/** Replaces the first match, or says that there is none. */
function swap(pattern: RegExp, by: (match: RegExpExecArray) => string): Mistake['change'] {
  return (instruction) => {
    const match = pattern.exec(instruction);
    if (match === null) return undefined;
    const changed = instruction.slice(0, match.index) + by(match) + instruction.slice(match.index + match[0].length);
    return changed === instruction ? undefined : changed;
  };
}

const OFF_BY_ONE: Readonly<Record<string, string>> = {
  lt: 'le',
  le: 'lt',
  gt: 'ge',
  ge: 'gt',
  lo: 'ls',
  ls: 'lo',
  hi: 'hs',
  hs: 'hi',
};

/** Float results that a mistake in precision can be made in: the instruction's destination is read back and rounded or scaled. */
const FLOAT_RESULT = /^(?:@!?%p\d+\s+)?(?:add|sub|mul|fma|div|sqrt|rsqrt|ex2|lg2|rcp|max|min)\.[\w.]*f32\s+(%f\d+)/;

function afterResult(code: (register: string) => string): Mistake['change'] {
  return (instruction) => {
    const match = FLOAT_RESULT.exec(instruction);
    return match === null || instruction.startsWith('@') ? undefined : `${instruction} ${code(match[1]!)}`;
  };
}

const rounded = (type: 'f16' | 'bf16') => (register: string) =>
  `{ .reg .b16 %fault; cvt.rn.${type}.f32 %fault, ${register}; cvt.f32.${type} ${register}, %fault; }`;

/** 1.001 as PTX writes a float32. */
const THOUSANDTH = '0f3F8020C5';

const MISTAKES: readonly Mistake[] = [
  { kind: 'barrier left out', change: swap(/^(?:bar|barrier)\.(?:cta\.)?sync\b.*;/, () => '') },
  { kind: 'warp barrier left out', change: swap(/^bar\.warp\.sync\b.*;/, () => '') },
  { kind: 'fence left out', change: swap(/^(?:fence|membar)\b.*;/, () => '') },
  {
    kind: 'comparison off by one',
    change: swap(/\bsetp\.(lt|le|gt|ge|lo|ls|hi|hs)(?=\.[su]\d)/, ([, how]) => `setp.${OFF_BY_ONE[how!]}`),
  },
  {
    kind: 'comparison turned round',
    change: swap(/\bsetp\.(eq|ne)\b/, ([, how]) => (how === 'eq' ? 'setp.ne' : 'setp.eq')),
  },
  { kind: 'condition turned round', change: swap(/^@(!?)(%p\d+)\s+bra\b/, ([, no, p]) => `@${no ? '' : '!'}${p} bra`) },
  { kind: 'branch never taken', change: swap(/^@!?%p\d+\s+bra\b.*;/, () => '') },
  { kind: 'result not stored', change: swap(/^st\.global\b.*;/, () => '') },
  { kind: 'shared value not stored', change: swap(/^st\.shared\b.*;/, () => '') },
  {
    kind: 'loads the next element',
    change: swap(/^(ld\.(?:global|shared)[\w.]*f32\s+%f\d+, \[%rd?\d+)\]/, ([, to]) => `${to}+4]`),
  },
  {
    kind: 'stores the next element',
    change: swap(/^(st\.(?:global|shared)[\w.]*f32\s+\[%rd?\d+)\]/, ([, to]) => `${to}+4]`),
  },
  {
    kind: 'index off by one',
    change: swap(
      /^((?:add|mad\.lo|shl|mul\.lo)\.[sub]32\s+.*,\s*)(-?\d+);/,
      ([, before, n]) => `${before}${Number(n) + 1};`,
    ),
  },
  {
    kind: 'index cut to 12 bits',
    change: swap(/^(?:mad\.lo|add)\.s32\s+(%r\d+),.*;/, ([whole, r]) => `${whole} and.b32 ${r}, ${r}, 4095;`),
  },
  { kind: 'sum becomes difference', change: swap(/^add((?:\.\w+)*\.f32)\b/, ([, type]) => `sub${type}`) },
  { kind: 'difference becomes sum', change: swap(/^sub((?:\.\w+)*\.f32)\b/, ([, type]) => `add${type}`) },
  { kind: 'product becomes sum', change: swap(/^mul((?:\.\w+)*\.f32)\b/, ([, type]) => `add${type}`) },
  {
    kind: 'sum of products drops the sum',
    change: swap(
      /^fma((?:\.\w+)*\.f32)(\s+%f\d+,\s*[^,]+,\s*[^,]+),\s*[^;]+;/,
      ([, type, operands]) => `mul${type}${operands};`,
    ),
  },
  { kind: 'largest becomes smallest', change: swap(/^max((?:\.\w+)*\.f32)\b/, ([, type]) => `min${type}`) },
  { kind: 'smallest becomes largest', change: swap(/^min((?:\.\w+)*\.f32)\b/, ([, type]) => `max${type}`) },
  { kind: 'sign lost', change: swap(/^neg((?:\.\w+)*\.f32)\b/, ([, type]) => `mov${type!.replace('.ftz', '')}`) },
  {
    kind: 'shuffle half as far',
    change: swap(
      /^(shfl\.sync\.(?:bfly|down|up)\.b32\s+[^;]*?,\s*%r\d+,\s*)(\d+)(,)/,
      ([, to, n, end]) => `${to}${Number(n) >> 1}${end}`,
    ),
  },
  {
    kind: 'shuffle left out',
    change: swap(
      /^shfl\.sync\.\w+\.b32\s+(%r\d+)(?:\|%p\d+)?,\s*(%r\d+),.*;/,
      ([, to, from]) => `mov.b32 ${to}, ${from};`,
    ),
  },
  {
    kind: 'atomic sum becomes a store',
    change: swap(
      /^(?:red|atom)[\w.]*\.global[\w.]*add\.f32\s+(?:%f\d+,\s*)?(\[[^\]]+\]),\s*(%f\d+);/,
      ([, to, value]) => `st.global.f32 ${to}, ${value};`,
    ),
  },
  { kind: 'precision of half', change: afterResult(rounded('f16')) },
  { kind: 'precision of bfloat16', change: afterResult(rounded('bf16')) },
  { kind: 'a thousandth too large', change: afterResult((f) => `mul.rn.f32 ${f}, ${f}, ${THOUSANDTH};`) },
];

/** An instruction alone on its line, after its indent; labels, directives and declarations are none. */
const INSTRUCTION = /^(\s+)((?:@!?%p\d+\s+)?[a-z][\w.]*[\s\S]*;)\s*$/;

/** Every fault that the table makes in the candidate's own module, in the order of the PTX's lines. */
export function ptxFaults(candidate: PreparedCandidate): Fault[] {
  const lines = candidate.build.ptx.split('\n');
  return lines.flatMap((line, i) => {
    const [, indent, instruction] = INSTRUCTION.exec(line) ?? [];
    if (instruction === undefined) return [];
    const at = (text: string) => withPtx(candidate, lines.with(i, `${indent}${text}`).join('\n'));
    return MISTAKES.flatMap(({ kind, change }): Fault[] => {
      const changed = change(instruction);
      if (changed === undefined) return [];
      const what = `PTX line ${i + 1}: \`${instruction.replace(/\s+/g, ' ')}\` becomes \`${changed.replace(/\s+/g, ' ') || 'nothing'}\``;
      return [{ kind, what, ptxLine: i + 1, candidate: at(changed), probe: at(`trap; ${instruction}`) }];
    });
  });
}

function withPtx(candidate: PreparedCandidate, ptx: string): PreparedCandidate {
  // A device keeps modules by the build's hash.
  const hash = createHash('sha256').update(candidate.build.hash).update(ptx).digest('hex');
  const build: Build = { ...candidate.build, ptx, hash };
  return { ...candidate, build };
}
