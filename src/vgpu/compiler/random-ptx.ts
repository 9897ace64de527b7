/**
 * Test support: random PTX programs whose result is defined, for comparing executors. A program is built from a list of
 * numbers, each a choice, so that fast-check can shrink it; when the list ends every choice is the simplest one.
 *
 * Programs compute in all types, branch (structured, and as a state machine over labels whose graph is often
 * irreducible), loop with bounded trip counts, meet at barriers, exchange values in warps, and use global, shared and
 * local memory without races. A NaN's bits are not defined, so floats never become integers by their bits.
 */
import { asyncCopies, matrixOperation } from './random-matrix.ts';
import { CHAINS, OPERATIONS } from './random-operations.ts';

/** Words of input that a program may read (any index masked by INPUT_WORDS - 1). */
export const INPUT_WORDS = 64;
/** Words of output a thread owns: 16 of integers, then 16 of floats. */
export const OUTPUT_WORDS = 32;
/** Words of counters for atomics. */
export const COUNTERS = 8;

export interface RandomProgram {
  readonly ptx: string;
  readonly block: readonly [number, number, number];
  readonly grid: readonly [number, number, number];
}

const BLOCKS: readonly (readonly [number, number, number])[] = [
  [32, 1, 1],
  [64, 1, 1],
  [1, 1, 1],
  [33, 1, 1],
  [16, 4, 1],
  [8, 2, 3],
  [128, 1, 1],
  [20, 3, 1],
  [4, 16, 1],
  [5, 1, 7],
];

/** Interesting 32-bit values. */
const EDGES: readonly number[] = [0, 1, 2, -1, 31, 32, 33, 0x7fffffff, -0x80000000, 0xffff, 0x10000, -2, 255, 1000003];
const EDGE_FLOATS: readonly string[] = [
  '00000000',
  '80000000',
  '3F800000',
  'BF800000',
  '7F800000',
  'FF800000',
  '7FC00000',
  '00000001',
  '807FFFFF',
  '00800000',
  '7F7FFFFF',
  '3F000000',
  '4B800001',
  '4F000000',
  '41200000',
  '3EAAAAAB',
];

const COUNTS = { r: 8, l: 4, f: 7, d: 4, h: 4, k: 4, p: 4 } as const;

/** Choices of a program by seed: xorshift, 32 bits. */
export function choicesOf(seed: number): number[] {
  let state = Math.imul(seed, 0x9e3779b1) | 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  return Array.from({ length: 20 + (next() % 500) }, next);
}

export function randomProgram(choices: readonly number[]): RandomProgram {
  return new Generator(choices).run();
}

class Generator {
  private at = 0;
  private label = 0;
  private readonly lines: string[] = [];
  private readonly block: readonly [number, number, number];
  private readonly grid: readonly [number, number, number];
  private readonly threads: number;
  private loopRegisters = 0;

  constructor(private readonly choices: readonly number[]) {
    this.block = BLOCKS[this.choose(BLOCKS.length)]!;
    this.grid = [1 + this.choose(3), 1 + this.choose(2), 1];
    this.threads = this.block[0] * this.block[1] * this.block[2];
  }

  /** A number below `n`; 0 when the choices are used up. */
  private choose(n: number): number {
    const choice = this.choices[this.at++] ?? 0;
    return choice % n;
  }

  private get exhausted(): boolean {
    return this.at >= this.choices.length;
  }

  private emit(text: string): void {
    this.lines.push(`\t${text}`);
  }

  private newLabel(): string {
    return `$L${this.label++}`;
  }

  private register(kind: keyof typeof COUNTS): string {
    return `%${kind}${this.choose(COUNTS[kind])}`;
  }

  private operand(letter: string): string {
    if (letter === 'i') return `${this.choose(40)}`;
    if (letter === 'x') return `${EDGES[this.choose(EDGES.length)]!}`;
    if (letter === '!p') return `!${this.register('p')}`;
    if (letter === 'p|p') {
      const first = this.choose(COUNTS.p);
      return `%p${first}|%p${(first + 1 + this.choose(COUNTS.p - 1)) % COUNTS.p}`;
    }
    if (letter.startsWith('{')) {
      // The parts of a destination must differ.
      const kind = letter[1] as 'h' | 'r';
      const first = this.choose(COUNTS[kind]);
      return `{%${kind}${first}, %${kind}${(first + 1) % COUNTS[kind]}}`;
    }
    return letter in COUNTS ? this.register(letter as keyof typeof COUNTS) : letter;
  }

  private instruction(form: string): string {
    const [opcode, ...letters] = form.split(' ');
    return `${opcode} ${letters.map((letter) => this.operand(letter)).join(', ')};`;
  }

  private arithmetic(): void {
    const kind = this.choose(24);
    if (kind === 1) {
      for (const form of CHAINS[this.choose(CHAINS.length)]!.split('; ')) this.emit(this.instruction(form));
      return;
    }
    if (kind === 2) {
      this.emit(`mov.f32 ${this.register('f')}, 0f${EDGE_FLOATS[this.choose(EDGE_FLOATS.length)]};`);
      return;
    }
    const guard = kind < 6 ? `@${this.choose(2) ? '!' : ''}${this.register('p')} ` : '';
    this.emit(`${guard}${this.instruction(OPERATIONS[this.choose(OPERATIONS.length)]!)}`);
  }

  /** Loads and stores of memory that no other thread touches, and loads of the input. */
  private memory(): void {
    const index = (): void => {
      this.emit(`and.b32 %t0, ${this.register('r')}, ${INPUT_WORDS - 1};`);
    };
    switch (this.choose(10)) {
      case 9:
        for (const line of asyncCopies((n) => this.choose(n), `${INPUT_WORDS}`)) this.emit(line);
        return;
      case 0: {
        index();
        this.emit('mul.wide.u32 %a0, %t0, 4;');
        this.emit('add.s64 %a0, %input, %a0;');
        this.emit(
          this.choose(2)
            ? `ld.global.u32 ${this.register('r')}, [%a0];`
            : `ld.global.nc.u32 ${this.register('r')}, [%a0];`,
        );
        return;
      }
      case 1: {
        // Narrow and signed loads of a random byte.
        index();
        const [type, letter] = (
          [
            ['u8', 'r'],
            ['s8', 'r'],
            ['u16', 'h'],
            ['s16', 'r'],
            ['s32', 'l'],
            ['u32', 'l'],
            ['b64', 'l'],
            ['u8', 'h'],
            ['s16', 'l'],
          ] as const
        )[this.choose(9)]!;
        const bytes = Number(type.slice(1)) / 8;
        this.emit(`and.b32 %t0, %t0, ${Math.floor((INPUT_WORDS * 4) / bytes / 2) - 1};`);
        this.emit(`mul.wide.u32 %a0, %t0, ${bytes};`);
        this.emit('add.s64 %a0, %input, %a0;');
        this.emit(`ld.global.${type} ${this.register(letter)}, [%a0+${bytes * this.choose(3)}];`);
        return;
      }
      case 2: {
        const v = this.choose(2) ? 4 : 2;
        const first = this.choose(COUNTS.r - v + 1);
        const list = Array.from({ length: v }, (_, k) => `%r${first + k}`).join(', ');
        this.emit(`st.global.v${v}.u32 [%own+${16 * this.choose(2)}], {${list}};`);
        this.emit(
          `ld.global.u32 ${this.register('r')}, [%own+${4 * this.choose(v === 4 ? 4 : 2)}];`.replace(
            /\[%own\+\d+\]/,
            (m) => m,
          ),
        );
        return;
      }
      case 3: {
        this.emit(`and.b32 %t0, ${this.register('r')}, 12;`);
        this.emit('mov.u32 %t1, depot;');
        this.emit('add.s32 %t1, %t1, %t0;');
        this.emit(`st.local.u32 [%t1], ${this.register('r')};`);
        this.emit(`ld.local.v4.u32 {%r0, %r1, %r2, %r3}, [depot];`);
        return;
      }
      case 4: {
        // Through a generic address.
        this.emit('mov.u64 %a0, depot;');
        this.emit('cvta.local.u64 %a0, %a0;');
        this.emit(`st.u32 [%a0+${4 * this.choose(4)}], ${this.register('r')};`);
        this.emit(`ld.u16 ${this.register('h')}, [%a0+${2 * this.choose(8)}];`);
        return;
      }
      case 5: {
        // Order-independent updates of counters that are only looked at after the launch.
        const operation = ['add.u32', 'max.s32', 'min.u32', 'and.b32', 'or.b32', 'xor.b32', 'add.u64'][this.choose(7)]!;
        const wide = operation.endsWith('64');
        const place = wide
          ? 8 * 3
          : 4 * ['add.u32', 'max.s32', 'min.u32', 'and.b32', 'or.b32', 'xor.b32'].indexOf(operation);
        if (wide) this.emit(`red.global.${operation} [%counters+24], ${this.register('l')};`);
        else if (place === 24) this.emit('// no counter');
        else this.emit(`red.global.${operation} [%counters+${place}], ${this.register('r')};`);
        return;
      }
      case 6: {
        // Atomics on memory of one's own have a defined result.
        const operation = ['add.u32', 'exch.b32', 'inc.u32', 'dec.u32', 'min.s32', 'xor.b32'][this.choose(6)]!;
        this.emit(`st.global.u32 [%own+8], ${this.register('r')};`);
        this.emit(`atom.global.${operation} ${this.register('r')}, [%own+8], ${this.register('r')};`);
        this.emit(`ld.global.u32 ${this.register('r')}, [%own+8];`);
        return;
      }
      case 7:
        this.emit(`st.global.f32 [%own+64], ${this.register('f')};`);
        this.emit(`atom.global.add.f32 ${this.register('f')}, [%own+64], ${this.register('f')};`);
        this.emit(`ld.global.f32 ${this.register('f')}, [%own+64];`);
        return;
      default: {
        const value = this.register('r');
        this.emit(
          `atom.global.cas.b32 ${this.register('r')}, [%own+12], ${value}, ${this.register('r')};`.replace(
            '[%own+12]',
            '[%own+0]',
          ),
        );
        return;
      }
    }
  }

  /** What all threads of the block do together. */
  private together(): void {
    const n = this.threads;
    switch (this.choose(n % 32 === 0 ? 9 : 3)) {
      case 0: {
        // Everyone writes a word of its own, then reads another's.
        this.emit(`st.shared.u32 [%slot], ${this.register('r')};`);
        this.emit('bar.sync 0;');
        this.emit(`add.s32 %t0, %linear, ${this.choose(n)};`);
        this.emit(`rem.u32 %t0, %t0, ${n};`);
        this.emit('shl.b32 %t0, %t0, 2;');
        this.emit('mov.u32 %t1, words;');
        this.emit('add.s32 %t1, %t1, %t0;');
        this.emit(`ld.shared.u32 ${this.register('r')}, [%t1];`);
        this.emit('bar.sync 0;');
        return;
      }
      case 1:
        this.emit(`bar.red.popc.u32 ${this.register('r')}, 0, ${this.register('p')};`);
        return;
      case 2:
        this.emit(`bar.red.${this.choose(2) ? 'and' : 'or'}.pred ${this.register('p')}, 0, ${this.register('p')};`);
        return;
      case 3: {
        const mode = ['bfly', 'down', 'up', 'idx'][this.choose(4)]!;
        const clamp = mode === 'up' ? [0, 0x1c00, 0x1800] : [31, 0x1c1f, 0x181f];
        const offset = this.choose(2) ? `${this.choose(32)}` : this.register('r');
        const pair = this.choose(2) ? `|${this.register('p')}` : '';
        this.emit(
          `shfl.sync.${mode}.b32 ${this.register('r')}${pair}, ${this.register('r')}, ${offset}, ${clamp[this.choose(3)]}, -1;`,
        );
        return;
      }
      case 4:
        this.emit(`vote.sync.ballot.b32 ${this.register('r')}, ${this.register('p')}, -1;`);
        return;
      case 5:
        this.emit(
          `vote.sync.${['all', 'any', 'uni'][this.choose(3)]}.pred ${this.register('p')}, ${this.choose(2) ? '!' : ''}${this.register('p')}, -1;`,
        );
        return;
      case 6: {
        const form = ['add.s32', 'min.s32', 'max.u32', 'and.b32', 'xor.b32', 'max.s32'][this.choose(6)]!;
        this.emit(`redux.sync.${form} ${this.register('r')}, ${this.register('r')}, -1;`);
        return;
      }
      case 8:
        for (const line of matrixOperation((count) => this.choose(count))) this.emit(line);
        return;
      default: {
        // A float through a shuffle, by its bits; the integer register is used for nothing else.
        this.emit(`mov.b32 %t0, ${this.register('f')};`);
        this.emit(`shfl.sync.bfly.b32 %t1, %t0, ${[1, 2, 4, 8, 16][this.choose(5)]}, 31, 0xffffffff;`);
        this.emit(`mov.b32 ${this.register('f')}, %t1;`);
      }
    }
  }

  /** Operations of a part of a warp: the lanes that take one side of a branch name themselves. */
  private partial(): void {
    const skip = this.newLabel();
    const mask = ['0x0000ffff', '0x55555555', '0xfffffffe'][this.choose(3)]!;
    this.emit('mov.u32 %t0, %laneid;');
    this.emit(`mov.u32 %t1, ${mask};`);
    this.emit('shr.u32 %t1, %t1, %t0;');
    this.emit('and.b32 %t1, %t1, 1;');
    this.emit('setp.eq.u32 %q, %t1, 0;');
    this.emit(`@%q bra ${skip};`);
    const operation = this.choose(4);
    if (operation === 0) this.emit(`redux.sync.add.s32 ${this.register('r')}, ${this.register('r')}, ${mask};`);
    else if (operation === 1) this.emit(`vote.sync.ballot.b32 ${this.register('r')}, ${this.register('p')}, ${mask};`);
    else if (operation === 2) this.emit(`match.any.sync.b32 ${this.register('r')}, ${this.register('r')}, ${mask};`);
    else this.emit(`bar.warp.sync ${mask};`);
    this.lines.push(`${skip}:`);
    this.emit('bar.warp.sync -1;');
  }

  /** `uniform`: all threads are here together. */
  private statements(depth: number, uniform: boolean): void {
    const count = 1 + this.choose(depth === 0 ? 10 : 4);
    for (let index = 0; index < count && !(this.exhausted && depth > 0); index++) this.statement(depth, uniform);
  }

  private statement(depth: number, uniform: boolean): void {
    const kind = this.choose(16);
    if (kind < 8 || depth > 3) {
      for (let more = 1 + this.choose(3); more > 0; more--) this.arithmetic();
      return;
    }
    switch (kind) {
      case 8:
      case 9:
        this.memory();
        return;
      case 10:
      case 11:
        if (uniform) this.together();
        else this.arithmetic();
        return;
      case 12: {
        const [otherwise, end] = [this.newLabel(), this.newLabel()];
        this.emit(`@${this.choose(2) ? '!' : ''}${this.register('p')} bra ${otherwise};`);
        this.statements(depth + 1, false);
        if (this.choose(2)) {
          this.emit(`bra.uni ${end};`);
          this.lines.push(`${otherwise}:`);
          this.statements(depth + 1, false);
          this.lines.push(`${end}:`);
        } else this.lines.push(`${otherwise}:`);
        return;
      }
      case 13: {
        const head = this.newLabel();
        const counter = `%n${this.loopRegisters++}`;
        const varying = !uniform || this.choose(3) === 0;
        if (varying) {
          this.emit(`and.b32 ${counter}, ${this.register('r')}, 3;`);
          this.emit(`add.s32 ${counter}, ${counter}, 1;`);
        } else this.emit(`mov.u32 ${counter}, ${1 + this.choose(3)};`);
        const predicate = `%q${this.loopRegisters}`;
        this.loopRegisters++;
        this.lines.push(`${head}:`);
        this.statements(depth + 1, uniform && !varying);
        this.emit(`add.s32 ${counter}, ${counter}, -1;`);
        this.emit(`setp.ne.s32 ${predicate}, ${counter}, 0;`);
        this.emit(`@${predicate} bra ${head};`);
        return;
      }
      case 14:
        this.stateMachine();
        return;
      default:
        if (uniform && this.threads % 32 === 0) this.partial();
        else this.arithmetic();
    }
  }

  /** Blocks that jump to each other at random, with a fuel counter: mostly irreducible graphs. */
  private stateMachine(): void {
    const count = 2 + this.choose(4);
    const labels = Array.from({ length: count }, () => this.newLabel());
    const end = this.newLabel();
    const fuel = `%n${this.loopRegisters++}`;
    const predicate = `%q${this.loopRegisters++}`;
    this.emit(`mov.u32 ${fuel}, ${3 + this.choose(12)};`);
    if (this.choose(3) === 0) {
      const table = this.newLabel().replace('$L', '$T');
      this.emit(`${table}: .branchtargets ${labels.join(', ')};`);
      this.emit(`rem.u32 %t0, ${this.register('r')}, ${count};`);
      // A remainder by a constant is below it.
      this.emit(`brx.idx %t0, ${table};`);
    } else this.emit(`@${this.register('p')} bra ${labels[this.choose(count)]};`);
    for (const label of labels) {
      this.lines.push(`${label}:`);
      this.emit(`add.s32 ${fuel}, ${fuel}, -1;`);
      this.emit(`setp.le.s32 ${predicate}, ${fuel}, 0;`);
      this.emit(`@${predicate} bra ${end};`);
      for (let more = 1 + this.choose(2); more > 0; more--) this.arithmetic();
      this.emit(`@${this.choose(2) ? '!' : ''}${this.register('p')} bra ${labels[this.choose(count)]};`);
      if (this.choose(2)) this.emit(`bra ${labels[this.choose(count)]};`);
    }
    this.lines.push(`${end}:`);
  }

  run(): RandomProgram {
    const { lines } = this;
    const [bx, by] = this.block;
    this.statements(0, true);
    const body = lines.splice(0);
    const header = [
      '.version 9.0',
      '.target sm_90',
      '.address_size 64',
      '.visible .entry kernel(.param .u64 input, .param .u64 output, .param .u64 counters, .param .u32 seed)',
      '{',
      `\t.reg .pred %p<${COUNTS.p}>, %q, %q<${this.loopRegisters + 2}>;`,
      `\t.reg .b32 %r<${COUNTS.r}>, %t<4>, %m<12>, %copy, %n<${this.loopRegisters + 1}>, %linear, %slot, %global;`,
      `\t.reg .b64 %l<${COUNTS.l}>, %a<4>, %input, %own, %counters;`,
      `\t.reg .b16 %h<${COUNTS.h}>, %k<${COUNTS.k}>;`,
      `\t.reg .f32 %f<${COUNTS.f}>, %w<8>;`,
      `\t.reg .f64 %d<${COUNTS.d}>;`,
      `\t.shared .align 16 .b8 words[${4 * this.threads}];`,
      `\t.shared .align 16 .b8 copies[${16 * this.threads}];`,
      '\t.local .align 16 .b8 depot[16];',
    ];
    this.emit('ld.param.u64 %input, [input];');
    this.emit('ld.param.u64 %own, [output];');
    this.emit('ld.param.u64 %counters, [counters];');
    this.emit('mov.u32 %t0, %tid.z;');
    this.emit('mov.u32 %t1, %tid.y;');
    this.emit('mov.u32 %t2, %tid.x;');
    this.emit(`mad.lo.u32 %t1, %t0, ${by}, %t1;`);
    this.emit(`mad.lo.u32 %linear, %t1, ${bx}, %t2;`);
    this.emit('mov.u32 %t0, %ctaid.y;');
    this.emit('mov.u32 %t1, %nctaid.x;');
    this.emit('mov.u32 %t2, %ctaid.x;');
    this.emit('mad.lo.u32 %t0, %t0, %t1, %t2;');
    this.emit(`mad.lo.u32 %global, %t0, ${this.threads}, %linear;`);
    this.emit(`mul.wide.u32 %a0, %global, ${4 * OUTPUT_WORDS};`);
    this.emit('add.s64 %own, %own, %a0;');
    this.emit('mov.u32 %t0, words;');
    this.emit('shl.b32 %t1, %linear, 2;');
    this.emit('add.s32 %slot, %t0, %t1;');
    this.emit('mov.u32 %t0, copies;');
    this.emit('mad.lo.u32 %copy, %linear, 16, %t0;');
    // Local memory and one's own output start initialised.
    this.emit('mov.u32 %t0, 7;');
    this.emit('st.local.v4.u32 [depot], {%t0, %linear, %t0, %global};');
    for (let word = 0; word < OUTPUT_WORDS; word += 4)
      this.emit(`st.global.v4.u32 [%own+${4 * word}], {%linear, %t0, %t0, %linear};`);
    this.emit('ld.param.u32 %r0, [seed];');
    this.emit('mov.u32 %r1, %linear;');
    this.emit('mov.u32 %r2, %global;');
    this.emit('mov.u32 %r3, %laneid;');
    this.emit('mul.lo.u32 %r4, %linear, 1103515245;');
    this.emit('xor.b32 %r4, %r4, %r0;');
    this.emit('ld.global.u32 %r5, [%input];');
    this.emit('mov.u32 %r6, %ctaid.x;');
    this.emit('mov.u32 %r7, %ntid.x;');
    this.emit('cvt.u64.u32 %l0, %r4;');
    this.emit('mul.wide.s32 %l1, %r4, %r0;');
    this.emit('mov.u64 %l2, -3;');
    this.emit('ld.global.u64 %l3, [%input+8];');
    this.emit('cvt.u16.u32 %h0, %r4;');
    this.emit('cvt.u16.u32 %h1, %r1;');
    this.emit('mov.u16 %h2, 0x8000;');
    this.emit('mov.u16 %h3, 3;');
    this.emit('cvt.rn.f32.s32 %f0, %r4;');
    this.emit('cvt.rn.f32.u32 %f1, %r1;');
    this.emit('mov.f32 %f2, 0f3F800001;');
    this.emit('mul.f32 %f3, %f0, 0f2F800000;');
    this.emit('mov.f32 %f4, 0f00000000;');
    this.emit('mov.f32 %f5, 0fC0490FDB;');
    this.emit('sub.f32 %f6, %f1, 0f41800000;');
    this.emit('cvt.rn.f64.s32 %d0, %r4;');
    this.emit('mov.f64 %d1, 0d3FF0000000000001;');
    this.emit('cvt.rn.f64.u32 %d2, %r1;');
    this.emit('mov.f64 %d3, 0dBFD5555555555555;');
    this.emit('cvt.rn.f16.f32 %k0, %f3;');
    this.emit('cvt.rn.f16.f32 %k1, %f1;');
    this.emit('mov.u16 %k2, 0x3C00;');
    this.emit('mov.u16 %k3, 0x8001;');
    this.emit('setp.lt.u32 %p0, %r1, 13;');
    this.emit('and.b32 %t0, %r1, 1;');
    this.emit('setp.ne.u32 %p1, %t0, 0;');
    this.emit('setp.lt.s32 %p2, %r4, 0;');
    this.emit('setp.eq.u32 %p3, %r0, %r0;');
    this.lines.push(...body);
    for (let id = 0; id < 8; id++) this.emit(`st.global.u32 [%own+${4 * id}], %r${id};`);
    // 64- and 16-bit registers and predicates, folded into one's own words.
    this.emit('xor.b64 %l0, %l0, %l1;');
    this.emit('st.global.u64 [%own+32], %l0;');
    this.emit('xor.b64 %l2, %l2, %l3;');
    this.emit('st.global.u64 [%own+40], %l2;');
    this.emit('st.global.v4.u16 [%own+48], {%h0, %h1, %h2, %h3};');
    this.emit('st.global.u16 [%own+56], %k0;');
    this.emit('st.global.u16 [%own+58], %k1;');
    this.emit('selp.u32 %t0, 1, 0, %p0;');
    this.emit('selp.u32 %t1, 2, 0, %p1;');
    this.emit('selp.u32 %t2, 4, 0, %p2;');
    this.emit('selp.u32 %t3, 8, 0, %p3;');
    this.emit('or.b32 %t0, %t0, %t1;');
    this.emit('or.b32 %t0, %t0, %t2;');
    this.emit('or.b32 %t0, %t0, %t3;');
    this.emit('st.global.u32 [%own+60], %t0;');
    for (let id = 0; id < COUNTS.f; id++) this.emit(`st.global.f32 [%own+${64 + 4 * id}], %f${id};`);
    for (let id = 0; id < COUNTS.d; id++) this.emit(`st.global.f64 [%own+${96 + 8 * id}], %d${id};`);
    this.emit('ret;');
    return { ptx: [...header, ...lines, '}', ''].join('\n'), block: this.block, grid: this.grid };
  }
}
