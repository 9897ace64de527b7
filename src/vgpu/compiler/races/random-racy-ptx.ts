/**
 * Test support: random PTX programs whose threads share memory, with and without the synchronisation that it takes. A list
 * of numbers decides, as in `../random-ptx.ts`. Which of the programs race is for the interpreter to say.
 */

export interface RacyProgram {
  readonly ptx: string;
  readonly block: readonly [number, number, number];
  readonly grid: readonly [number, number, number];
  /** Bytes of the output buffer, and of the second buffer, which is read and sometimes written. */
  readonly bytes: number;
}

const BLOCKS: readonly (readonly [number, number, number])[] = [
  [32, 1, 1],
  [64, 1, 1],
  [16, 4, 1],
  [128, 1, 1],
  [20, 3, 1],
  [48, 1, 1],
];

interface Width {
  readonly type: string;
  readonly bytes: number;
  readonly list: string;
}

const WIDTHS: readonly Width[] = [
  { type: 'u32', bytes: 4, list: '%v0' },
  { type: 'u32', bytes: 4, list: '%v0' },
  { type: 'u32', bytes: 4, list: '%v0' },
  { type: 'v2.u32', bytes: 8, list: '{%v0, %v1}' },
  { type: 'v4.u32', bytes: 16, list: '{%v0, %v1, %v2, %v3}' },
  { type: 'u16', bytes: 2, list: '%h0' },
  { type: 'u8', bytes: 1, list: '%h0' },
];

export function racyProgram(choices: readonly number[]): RacyProgram {
  return new Generator(choices).run();
}

class Generator {
  private at = 0;
  private label = 0;
  private loops = 0;
  private readonly lines: string[] = [];
  private readonly block: readonly [number, number, number];
  private readonly grid: readonly [number, number, number];
  private readonly threads: number;
  /** Of ten accesses, how many are followed by a barrier. */
  private readonly care: number;
  /** Narrow accesses make stamps finer everywhere: most programs have none. */
  private readonly widths: readonly Width[];

  constructor(private readonly choices: readonly number[]) {
    this.block = BLOCKS[this.choose(BLOCKS.length)]!;
    this.grid = [1 + this.choose(3), 1, 1];
    this.threads = this.block[0] * this.block[1] * this.block[2];
    this.care = [10, 9, 7, 3][this.choose(4)]!;
    this.widths = this.choose(3) === 0 ? WIDTHS : WIDTHS.filter(({ bytes }) => bytes >= 4);
  }

  private choose(n: number): number {
    return (this.choices[this.at++] ?? 0) % n;
  }

  private emit(text: string): void {
    this.lines.push(`\t${text}`);
  }

  /** Leaves in %i an index below the number of threads, in a pattern that several threads may share. */
  private index(): void {
    const n = this.threads;
    switch (this.choose(9)) {
      case 0:
      case 1:
      case 2:
        this.emit('mov.u32 %i, %linear;');
        return;
      case 3:
        this.emit(`add.u32 %i, %linear, ${1 + this.choose(n - 1)};`);
        this.emit(`rem.u32 %i, %i, ${n};`);
        return;
      case 4:
        // Another lane of the warp, where there is one.
        this.emit(`xor.b32 %i, %linear, ${1 << this.choose(5)};`);
        this.emit(`rem.u32 %i, %i, ${n};`);
        return;
      case 5:
        this.emit(`mov.u32 %i, ${this.choose(n)};`);
        return;
      case 6:
        this.emit('shr.u32 %i, %linear, 5;');
        return;
      case 7:
        this.emit(`sub.u32 %i, ${n - 1}, %linear;`);
        return;
      default:
        this.emit(`shr.u32 %i, %linear, ${1 + this.choose(3)};`);
    }
  }

  /** Leaves in %a the address of an element in shared or global memory; the space to name in the access. */
  private place(bytes: number): string {
    this.index();
    const kind = this.choose(8);
    if (kind < 4) {
      const generic = this.choose(6) === 0;
      this.emit(`mul.wide.u32 %a, %i, ${bytes};`);
      this.emit('mov.u64 %b, area;');
      if (generic) this.emit('cvta.shared.u64 %b, %b;');
      this.emit('add.u64 %a, %a, %b;');
      return generic ? '' : '.shared';
    }
    // The block's own part of the output, mostly; else one that all blocks share.
    if (kind < 7) this.emit('add.u32 %i, %i, %part;');
    this.emit(`mul.wide.u32 %a, %i, ${bytes};`);
    this.emit(`add.u64 %a, %a, ${this.choose(5) === 0 ? '%other' : '%out'};`);
    return this.choose(6) === 0 ? '' : '.global';
  }

  private access(): void {
    const guard = this.choose(5);
    const skip = `$S${this.label++}`;
    if (guard === 0) {
      this.emit(`setp.ne.u32 %p, ${['%linear', '%lane', '%warp'][this.choose(3)]!}, 0;`);
      this.emit(`@%p bra ${skip};`);
    } else if (guard === 1) {
      this.emit(`setp.ge.u32 %p, %linear, ${1 + this.choose(this.threads)};`);
      this.emit(`@%p bra ${skip};`);
    }
    const kind = this.choose(10);
    if (kind === 9) {
      const space = this.place(4);
      const scope = ['', '.gpu', '.cta'][this.choose(3)]!;
      this.emit(`red${scope === '' ? '' : `.relaxed${scope}`}${space}.add.u32 [%a], 1;`);
    } else {
      const { type, bytes, list } = this.widths[this.choose(this.widths.length)]!;
      const space = this.place(bytes);
      const volatile = this.choose(20) === 0 && !type.startsWith('v') ? '.volatile' : '';
      if (kind < 5) {
        this.emit(`ld${volatile}${space}.${type} ${list}, [%a];`);
        // What was read goes into what will be written, but never into an address.
        this.emit(bytes < 4 ? 'add.u16 %h0, %h0, 1;' : 'add.u32 %v0, %v0, 1;');
      } else {
        if (this.choose(6) > 0) this.emit(`mad.lo.u32 %v0, %linear, 7, ${this.choose(1000)};`);
        this.emit(`st${volatile}${space}.${type} [%a], ${list};`);
      }
    }
    if (guard < 2) this.lines.push(`${skip}:`);
  }

  private synchronise(): void {
    const whole = this.threads % 32 === 0;
    switch (this.choose(whole ? 9 : 6)) {
      case 6:
        this.emit('bar.warp.sync -1;');
        return;
      case 7:
        this.emit('shfl.sync.bfly.b32 %v1, %v0, 1, 31, -1;');
        return;
      case 8: {
        // Half of the lanes among themselves, then the others.
        const skip = `$S${this.label++}`;
        const end = `$S${this.label++}`;
        this.emit('setp.ge.u32 %p, %lane, 16;');
        this.emit(`@%p bra ${skip};`);
        this.emit('bar.warp.sync 0x0000ffff;');
        this.emit(`bra ${end};`);
        this.lines.push(`${skip}:`);
        this.emit('bar.warp.sync 0xffff0000;');
        this.lines.push(`${end}:`);
        return;
      }
      case 5:
        if (whole) this.emit(`barrier.sync 1, ${this.threads};`);
        else this.emit('barrier.sync 2;');
        return;
      default:
        this.emit('bar.sync 0;');
    }
  }

  private statements(depth: number): void {
    for (let count = 1 + this.choose(6); count > 0; count--) {
      if (depth < 2 && this.choose(6) === 0) {
        const head = `$S${this.label++}`;
        const counter = `%n${this.loops++}`;
        this.emit(`mov.u32 ${counter}, ${2 + this.choose(2)};`);
        this.lines.push(`${head}:`);
        this.statements(depth + 1);
        this.emit(`sub.u32 ${counter}, ${counter}, 1;`);
        this.emit(`setp.ne.u32 %q, ${counter}, 0;`);
        this.emit(`@%q bra ${head};`);
        continue;
      }
      this.access();
      if (this.choose(10) < this.care) this.synchronise();
    }
  }

  run(): RacyProgram {
    const n = this.threads;
    this.statements(0);
    const head = `.version 8.0
.target sm_80
.address_size 64
.visible .entry kernel(.param .u64 pout, .param .u64 pother)
{
	.reg .pred %p, %q;
	.reg .b16 %h0;
	.reg .b32 %linear, %lane, %warp, %part, %i, %t, %v<4>, %n<${this.loops + 1}>;
	.reg .b64 %out, %other, %a, %b;
	.shared .align 16 .b8 area[${16 * n}];
	ld.param.u64 %out, [pout];
	ld.param.u64 %other, [pother];
	mov.u32 %linear, %tid.y;
	mov.u32 %t, %ntid.x;
	mul.lo.u32 %linear, %linear, %t;
	mov.u32 %t, %tid.x;
	add.u32 %linear, %linear, %t;
	and.b32 %lane, %linear, 31;
	shr.u32 %warp, %linear, 5;
	mov.u32 %part, %ctaid.x;
	mul.lo.u32 %part, %part, ${n};
	mov.u32 %v0, 3;
	mov.u32 %v1, %linear;
	mov.u32 %v2, 5;
	mov.u32 %v3, %lane;
	mov.u16 %h0, 9;
	mul.wide.u32 %a, %linear, 16;
	mov.u64 %b, area;
	add.u64 %a, %a, %b;
	st.shared.v4.u32 [%a], {%v0, %v1, %v2, %v3};
	bar.sync 0;`;
    return {
      ptx: [head, ...this.lines, '\tret;', '}', ''].join('\n'),
      block: this.block,
      grid: this.grid,
      bytes: 16 * n * this.grid[0] + 16 * n,
    };
  }
}
