/**
 * Test support: statements of random programs that use a warp's matrix instructions and asynchronous copies. Registers: %r0-7
 * and %f0-6 of the program, %m, %w, %t and %a for what lies between. `words` holds 4 bytes a thread, `copies` 16.
 */

/** A number below n. */
type Choose = (n: number) => number;

const list = (letter: string, first: number, count: number): string =>
  `{${Array.from({ length: count }, (_, k) => `%${letter}${first + k}`).join(', ')}}`;

/** Any registers, which may repeat. */
const some = (choose: Choose, letter: string, among: number, count: number): string =>
  `{${Array.from({ length: count }, () => `%${letter}${choose(among)}`).join(', ')}}`;

/** An operation of a whole warp on matrices, after which what it computed is in the program's registers. */
export function matrixOperation(choose: Choose): string[] {
  switch (choose(9)) {
    case 0: {
      const [shape, type, a, b] = (
        [
          ['m16n8k16', 'f16', 4, 2],
          ['m16n8k8', 'f16', 2, 1],
          ['m16n8k16', 'bf16', 4, 2],
          ['m16n8k8', 'bf16', 2, 1],
          ['m16n8k8', 'tf32', 4, 2],
          ['m16n8k4', 'tf32', 2, 1],
        ] as const
      )[choose(6)]!;
      // A result may take the place of its addend, or of another's.
      const first = choose(4);
      return [
        `mma.sync.aligned.${shape}.row.col.f32.${type}.${type}.f32 ${list('f', first, 4)}, ${some(choose, 'r', 8, a)}, ${some(choose, 'r', 8, b)}, ${some(choose, 'f', 7, 4)};`,
      ];
    }
    case 1: {
      const [shape, a, b] = (
        [
          ['m16n8k32', 4, 2],
          ['m16n8k16', 2, 1],
          ['m8n8k16', 1, 1],
        ] as const
      )[choose(3)]!;
      const sums = shape.startsWith('m8') ? 2 : 4;
      const types = `s32.${['s8', 'u8'][choose(2)]}.${['s8', 'u8'][choose(2)]}.s32`;
      const saturate = choose(2) ? '.satfinite' : '';
      return [
        `mma.sync.aligned.${shape}.row.col${saturate}.${types} ${list('r', choose(5), sums)}, ${some(choose, 'r', 8, a)}, ${some(choose, 'r', 8, b)}, ${some(choose, 'r', 8, sums)};`,
      ];
    }
    case 2:
      return [
        `mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 ${list('d', choose(3), 2)}, {%d${choose(4)}}, {%d${choose(4)}}, ${some(choose, 'd', 4, 2)};`,
      ];
    case 3: {
      const count = [1, 2, 4][choose(3)]!;
      const row = choose(2) ? '%linear' : `%r${choose(8)}`;
      return [
        `st.shared.u32 [%slot], %r${choose(8)};`,
        'bar.sync 0;',
        // Rows of the warp's own 128 bytes.
        'and.b32 %t0, %linear, 0xffffffe0;',
        `and.b32 %t1, ${row}, 7;`,
        'shl.b32 %t1, %t1, 2;',
        'add.s32 %t0, %t0, %t1;',
        'shl.b32 %t0, %t0, 2;',
        'mov.u32 %t1, words;',
        'add.s32 %t0, %t0, %t1;',
        `ldmatrix.sync.aligned.m8n8.x${count}${choose(2) ? '.trans' : ''}.shared.b16 ${list('r', choose(9 - count), count)}, [%t0];`,
        'bar.sync 0;',
      ];
    }
    case 4:
      return [
        'and.b32 %t0, %linear, 0xffffffe0;',
        'and.b32 %t1, %linear, 7;',
        'mad.lo.u32 %t0, %t1, 4, %t0;',
        'shl.b32 %t0, %t0, 2;',
        'mov.u32 %t1, words;',
        'add.s32 %t0, %t0, %t1;',
        `stmatrix.sync.aligned.m8n8.x1${choose(2) ? '.trans' : ''}.shared.b16 [%t0], {%r${choose(8)}};`,
        'bar.sync 0;',
        `ld.shared.u32 %r${choose(8)}, [%slot];`,
        'bar.sync 0;',
      ];
    case 5: {
      // All rows lie in the input; with a stride that is no multiple of 16 bytes the elements are fetched one by one.
      const type = choose(2) ? 'f16' : 'bf16';
      const registers = type === 'f16' ? 8 : 4;
      const [left, right] = [['row', 'col'][choose(2)], ['row', 'col'][choose(2)]];
      const stride = [0, 3][choose(2)];
      const product = type === 'f16' ? 'f32.f32' : 'f32.bf16.bf16.f32';
      return [
        `wmma.load.a.sync.aligned.${left}.m16n16k16.${type} ${list('m', 0, registers)}, [%input], ${stride};`,
        `wmma.load.b.sync.aligned.${right}.m16n16k16.global.${type} ${list('r', 0, registers)}, [%input+32], ${stride};`,
        `wmma.mma.sync.aligned.${left}.${right}.m16n16k16.${product} ${list('w', 0, 8)}, ${list('m', 0, registers)}, ${list('r', 0, registers)}, {%f0, %f1, %f2, %f3, %f4, %f5, %f6, %f0};`,
        ...Array.from({ length: 7 }, (_, k) => `mov.f32 %f${k}, %w${k};`),
      ];
    }
    case 6: {
      const shape = ['m16n16k16', 'm32n8k16', 'm8n32k16'][choose(3)]!;
      const [a, b] = shape === 'm16n16k16' ? [2, 2] : shape === 'm32n8k16' ? [4, 1] : [1, 4];
      const [left, right, store] = [0, 1, 2].map(() => ['row', 'col'][choose(2)]);
      const type = choose(2) ? 's8' : 'u8';
      const columns = shape === 'm8n32k16' ? 32 : shape === 'm32n8k16' ? 8 : 16;
      return [
        `wmma.load.a.sync.aligned.${left}.${shape}.${type} ${list('m', 0, a)}, [%input], 0;`,
        `wmma.load.b.sync.aligned.${right}.${shape}.${type} ${list('m', 4, b)}, [%input+64], 0;`,
        `wmma.mma.sync.aligned.${left}.${right}.${shape}.s32.${type}.${type}.s32 ${list('r', 0, 8)}, ${list('m', 0, a)}, ${list('m', 4, b)}, ${list('r', 0, 8)};`,
        // To the output of the warp's first lanes.
        'mov.u32 %t0, %laneid;',
        'mul.wide.u32 %a0, %t0, 128;',
        'sub.s64 %a0, %own, %a0;',
        `wmma.store.d.sync.aligned.${store}.${shape}.global.s32 [%a0], ${list('r', 0, 8)}, ${Math.max(columns, 32)};`,
      ];
    }
    case 7:
      return [
        'wmma.load.a.sync.aligned.row.m16n16k8.tf32 {%m0, %m1, %m2, %m3}, [%input], 3;',
        `wmma.load.b.sync.aligned.${choose(2) ? 'col' : 'row'}.m16n16k8.tf32 {%m4, %m5, %m6, %m7}, [%input+16], 0;`,
        `wmma.mma.sync.aligned.row.col.m16n16k8.f32.tf32.tf32.f32 ${list('w', 0, 8)}, {%m0, %m1, %m2, %m3}, {%m4, %m5, %m6, %m7}, {%f0, %f1, %f2, %f3, %f4, %f5, %f6, %f0};`,
        ...Array.from({ length: 7 }, (_, k) => `mov.f32 %f${k}, %w${k};`),
      ];
    default:
      return [
        'wmma.load.a.sync.aligned.row.m8n8k4.f64 {%d0}, [%input], 2;',
        'wmma.load.b.sync.aligned.col.m8n8k4.f64 {%d1}, [%input], 0;',
        'wmma.mma.sync.aligned.row.col.m8n8k4.rn.f64.f64.f64.f64 {%d2, %d3}, {%d0}, {%d1}, {%d2, %d3};',
      ];
  }
}

/** Copies to the thread's own 16 bytes, in one group or two, and what has landed after the wait. */
export function asyncCopies(choose: Choose, words: string): string[] {
  const register = `%r${choose(8)}`;
  const last = Number(words) - 4;
  const source = (bytes: number): string[] => [
    `and.b32 %t0, ${register}, ${last & ~(bytes / 4 - 1)};`,
    'mul.wide.u32 %a0, %t0, 4;',
    'add.s64 %a0, %input, %a0;',
  ];
  const read = `ld.shared.v4.u32 {%r0, %r1, %r2, %r3}, [%copy];`;
  switch (choose(3)) {
    case 0: {
      const size = choose(2) ? `%r${choose(8)}` : `${choose(17)}`;
      return [
        ...source(16),
        `cp.async.${choose(2) ? 'cg' : 'ca'}.shared.global [%copy], [%a0], 16, ${size};`,
        'cp.async.commit_group;',
        'cp.async.wait_group 0;',
        read,
      ];
    }
    case 1:
      return [
        ...source(8),
        'cp.async.ca.shared.global [%copy], [%a0], 8;',
        'cp.async.commit_group;',
        'cp.async.ca.shared.global [%copy+8], [%a0], 8;',
        'cp.async.commit_group;',
        'cp.async.wait_group 1;',
        `ld.shared.u32 %r${choose(8)}, [%copy+4];`,
        'cp.async.wait_group 0;',
        read,
      ];
    default:
      return [
        ...source(4),
        ...[0, 4, 8, 12].map((at) => `cp.async.ca.shared.global [%copy+${at}], [%a0], 4;`),
        'cp.async.wait_all;',
        read,
      ];
  }
}
