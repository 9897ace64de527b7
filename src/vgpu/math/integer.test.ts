import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import * as bit from './bitfield.ts';
import * as i32 from './integer32.ts';
import * as i64 from './integer64.ts';
import * as words from './words64.ts';

const U32 = (x: number): bigint => BigInt(x >>> 0);
const S32 = (x: number): bigint => BigInt(x | 0);
const to32 = (x: bigint): number => Number(BigInt.asIntN(32, x));
const U64 = (x: bigint): bigint => BigInt.asUintN(64, x);
const S64 = (x: bigint): bigint => BigInt.asIntN(64, x);

const EDGES = [
  0, 1, 2, 3, 31, 32, 33, 63, 64, 255, 256, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffff, 0x800000, 0xffffff, 0x7fffffff,
  -0x80000000, -1, -2, 0x55555555, 0x12345678,
];
const word = fc.oneof(
  fc.constantFrom(...EDGES),
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
);
const wide = fc.oneof(
  fc.constantFrom(0n, 1n, 0x7fffffffffffffffn, 0x8000000000000000n, 0xffffffffffffffffn, 0xffffffffn, 0x100000000n),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
);

describe('32-bit arithmetic', () => {
  it('agrees with BigInt', () => {
    fc.assert(
      fc.property(word, word, word, (a, b, c) => {
        const eq = (actual: number, expected: bigint, name: string) =>
          assert.equal(actual, to32(expected), `${name} ${a} ${b} ${c}`);
        eq(i32.mulLo32(a, b), U32(a) * U32(b), 'mul.lo');
        eq(i32.mulHiU32(a, b), (U32(a) * U32(b)) >> 32n, 'mul.hi.u32');
        eq(i32.mulHiS32(a, b), (S32(a) * S32(b)) >> 32n, 'mul.hi.s32');
        assert.equal(i32.mulWideU32(a, b), U32(a) * U32(b));
        assert.equal(i32.mulWideS32(a, b), U64(S32(a) * S32(b)));
        eq(i32.madLo32(a, b, c), U32(a) * U32(b) + U32(c), 'mad.lo');
        eq(i32.madHiU32(a, b, c), ((U32(a) * U32(b)) >> 32n) + U32(c), 'mad.hi.u32');
        eq(i32.madHiS32(a, b, c), ((S32(a) * S32(b)) >> 32n) + S32(c), 'mad.hi.s32');
        const clamp = (x: bigint) => (x > 0x7fffffffn ? 0x7fffffffn : x < -0x80000000n ? -0x80000000n : x);
        eq(i32.madHiS32(a, b, c, true), clamp(((S32(a) * S32(b)) >> 32n) + S32(c)), 'mad.hi.sat.s32');
        eq(i32.addSatS32(a, b), clamp(S32(a) + S32(b)), 'add.sat');
        eq(i32.subSatS32(a, b), clamp(S32(a) - S32(b)), 'sub.sat');
        const u24 = (x: number) => U32(x) & 0xffffffn;
        const s24 = (x: number) => BigInt.asIntN(24, U32(x));
        eq(i32.mul24LoU32(a, b), u24(a) * u24(b), 'mul24.lo.u32');
        eq(i32.mul24LoS32(a, b), s24(a) * s24(b), 'mul24.lo.s32');
        eq(i32.mul24HiU32(a, b), (u24(a) * u24(b)) >> 16n, 'mul24.hi.u32');
        eq(i32.mul24HiS32(a, b), (s24(a) * s24(b)) >> 16n, 'mul24.hi.s32');
        eq(i32.mad24HiSatS32(a, b, c), clamp(BigInt(to32((s24(a) * s24(b)) >> 16n)) + S32(c)), 'mad24.hi.sat');
        const abs = (x: bigint) => (x < 0n ? -x : x);
        eq(i32.sadU32(a, b, c), U32(c) + abs(U32(a) - U32(b)), 'sad.u32');
        eq(i32.sadS32(a, b, c), U32(c) + abs(S32(a) - S32(b)), 'sad.s32');
        eq(i32.minU32(a, b), U32(a) < U32(b) ? U32(a) : U32(b), 'min.u32');
        eq(i32.maxU32(a, b), U32(a) > U32(b) ? U32(a) : U32(b), 'max.u32');
        eq(i32.minS32(a, b), S32(a) < S32(b) ? S32(a) : S32(b), 'min.s32');
        eq(i32.maxS32(a, b), S32(a) > S32(b) ? S32(a) : S32(b), 'max.s32');
        eq(i32.absS32(a), abs(S32(a)), 'abs');
        eq(i32.negS32(a), -S32(a), 'neg');
        if (U32(b) !== 0n) {
          eq(i32.divU32(a, b), U32(a) / U32(b), 'div.u32');
          eq(i32.remU32(a, b), U32(a) % U32(b), 'rem.u32');
          eq(i32.divS32(a, b), S32(a) / S32(b), 'div.s32');
          eq(i32.remS32(a, b), S32(a) % S32(b), 'rem.s32');
        }
        for (const carry of [0, 1]) {
          const sum = U32(a) + U32(b) + BigInt(carry);
          assert.deepEqual(i32.addCarry32(a, b, carry), { value: to32(sum), carry: Number(sum >> 32n) });
          const difference = U32(a) - U32(b) - BigInt(carry);
          assert.deepEqual(i32.subBorrow32(a, b, carry), { value: to32(difference), carry: difference < 0n ? 1 : 0 });
        }
        const part = (x: number, i: number, width: number, signed: boolean) => {
          const field = (U32(x) >> BigInt(i * width)) & ((1n << BigInt(width)) - 1n);
          return signed ? BigInt.asIntN(width, field) : field;
        };
        for (const sa of [false, true]) {
          for (const sb of [false, true]) {
            let dot = U32(c);
            for (let i = 0; i < 4; i++) dot += part(a, i, 8, sa) * part(b, i, 8, sb);
            eq(i32.dp4a(a, b, c, sa, sb), dot, 'dp4a');
            const lo = part(a, 0, 16, sa) * part(b, 0, 8, sb) + part(a, 1, 16, sa) * part(b, 1, 8, sb);
            const hi = part(a, 0, 16, sa) * part(b, 2, 8, sb) + part(a, 1, 16, sa) * part(b, 3, 8, sb);
            eq(i32.dp2a(a, b, c, sa, sb, 'lo'), U32(c) + lo, 'dp2a.lo');
            eq(i32.dp2a(a, b, c, sa, sb, 'hi'), U32(c) + hi, 'dp2a.hi');
          }
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('agrees with BigInt on 16 bits', () => {
    const U = (x: number) => BigInt.asUintN(16, BigInt(x));
    const S = (x: number) => BigInt.asIntN(16, BigInt(x));
    const low = (x: bigint) => Number(BigInt.asUintN(16, x));
    fc.assert(
      fc.property(word, word, word, (a, b, c) => {
        assert.equal(i32.mulWideU16(a, b), to32(U(a) * U(b)));
        assert.equal(i32.mulWideS16(a, b), to32(S(a) * S(b)));
        assert.equal(i32.mulHiU16(a, b), low((U(a) * U(b)) >> 16n));
        assert.equal(i32.mulHiS16(a, b), low((S(a) * S(b)) >> 16n));
        const abs = (x: bigint) => (x < 0n ? -x : x);
        assert.equal(i32.sadU16(a, b, c), low(abs(U(a) - U(b)) + U(c)));
        assert.equal(i32.sadS16(a, b, c), low(abs(S(a) - S(b)) + U(c)));
        if (U(b) !== 0n) {
          assert.equal(i32.divU16(a, b), low(U(a) / U(b)));
          assert.equal(i32.divS16(a, b), low(S(a) / S(b)));
          assert.equal(i32.remU16(a, b), low(U(a) % U(b)));
          assert.equal(i32.remS16(a, b), low(S(a) % S(b)));
        }
        assert.equal(i32.minU16(a, b), low(U(a) < U(b) ? U(a) : U(b)));
        assert.equal(i32.maxU16(a, b), low(U(a) > U(b) ? U(a) : U(b)));
        assert.equal(i32.minS16(a, b), low(S(a) < S(b) ? S(a) : S(b)));
        assert.equal(i32.maxS16(a, b), low(S(a) > S(b) ? S(a) : S(b)));
        assert.equal(i32.maxS16(a, b, true), low(S(a) > 0n || S(b) > 0n ? (S(a) > S(b) ? S(a) : S(b)) : 0n));
        assert.equal(i32.absS16(a), low(abs(S(a))));
        assert.equal(i32.negS16(a), low(-S(a)));
        const n = b >>> 0;
        assert.equal(bit.shl16(a, b), low(n > 15 ? 0n : U(a) << BigInt(n)));
        assert.equal(bit.shrU16(a, b), low(n > 15 ? 0n : U(a) >> BigInt(n)));
        assert.equal(bit.shrS16(a, b), low(S(a) >> BigInt(Math.min(n, 15))));
      }),
      { numRuns: 1500 },
    );
  });

  it('divides by zero and INT_MIN by -1 without trapping', () => {
    assert.equal(i32.divU32(7, 0), -1);
    assert.equal(i32.divS32(-7, 0), -1);
    assert.equal(i32.remU32(7, 0), -1);
    assert.equal(i32.remS32(-7, 0), -1);
    assert.equal(i32.remU16(7, 0), 0xffff);
    assert.equal(i32.remS16(7, 0), 0xffff);
    assert.equal(i32.divS32(-0x80000000, -1), -0x80000000);
    assert.ok(Object.is(i32.remS32(-0x80000000, -1), 0));
    assert.equal(i32.divU16(7, 0), 0xffff);
    assert.equal(i32.divS16(0x8000, 0xffff), 0x8000);
    assert.equal(i64.divS64(1n << 63n, (1n << 64n) - 1n), 1n << 63n);
    assert.equal(i64.divU64(5n, 0n), (1n << 64n) - 1n);
    assert.equal(i64.remS64(5n, 0n), (1n << 64n) - 1n);
  });
});

/** The pseudocode of the ISA, bit by bit, on any width. */
const bitOf = (x: bigint, i: number): bigint => (i < 0 ? 0n : (x >> BigInt(i)) & 1n);

function bfePlain(a: bigint, b: number, c: number, width: number, signed: boolean): bigint {
  const msb = width - 1;
  const pos = b & 0xff;
  const len = c & 0xff;
  const sbit = !signed || len === 0 ? 0n : bitOf(a, Math.min(pos + len - 1, msb));
  let d = 0n;
  for (let i = 0; i <= msb; i++) d |= (i < len && pos + i <= msb ? bitOf(a, pos + i) : sbit) << BigInt(i);
  return d;
}

function bfiPlain(a: bigint, b: bigint, c: number, d: number, width: number): bigint {
  const pos = c & 0xff;
  const len = d & 0xff;
  let f = b;
  for (let i = 0; i < len && pos + i <= width - 1; i++) {
    const at = BigInt(pos + i);
    f = (f & ~(1n << at)) | (bitOf(a, i) << at);
  }
  return f;
}

function bfindPlain(a: bigint, width: number, signed: boolean, shiftamt: boolean): number {
  const msb = width - 1;
  const x = signed && bitOf(a, msb) === 1n ? ~a : a;
  for (let i = msb; i >= 0; i--) if (bitOf(x, i) === 1n) return shiftamt ? msb - i : i;
  return -1;
}

describe('32-bit bit manipulation follows the pseudocode of the ISA', () => {
  it('shifts, funnel shifts, fields and searches', () => {
    const amount = fc.oneof(fc.nat(70), word);
    fc.assert(
      fc.property(word, word, amount, amount, (a, b, c, d) => {
        const n = c >>> 0;
        assert.equal(bit.shl32(a, c), n > 31 ? 0 : to32(U32(a) << BigInt(n)));
        assert.equal(bit.shrU32(a, c), n > 31 ? 0 : to32(U32(a) >> BigInt(n)));
        assert.equal(bit.shrS32(a, c), to32(S32(a) >> BigInt(Math.min(n, 31))));
        for (const mode of ['clamp', 'wrap'] as const) {
          const s = BigInt(mode === 'clamp' ? Math.min(n, 32) : n & 31);
          const pair = (U32(b) << 32n) | U32(a);
          assert.equal(bit.shfL(a, b, c, mode), to32((pair << s) >> 32n), `shf.l.${mode}`);
          assert.equal(bit.shfR(a, b, c, mode), to32(pair >> s), `shf.r.${mode}`);
        }
        assert.equal(bit.bfeU32(a, c, d), to32(bfePlain(U32(a), c, d, 32, false)), `bfe.u32 ${a} ${c} ${d}`);
        assert.equal(bit.bfeS32(a, c, d), to32(bfePlain(U32(a), c, d, 32, true)), `bfe.s32 ${a} ${c} ${d}`);
        assert.equal(bit.bfi32(a, b, c, d), to32(bfiPlain(U32(a), U32(b), c, d, 32)), `bfi ${a} ${b} ${c} ${d}`);
        for (const signed of [false, true]) {
          for (const shiftamt of [false, true]) {
            assert.equal(bit.bfind32(a, signed, shiftamt), bfindPlain(U32(a), 32, signed, shiftamt));
          }
        }
        const text = U32(a).toString(2).padStart(32, '0');
        assert.equal(bit.brev32(a), to32(BigInt(`0b${[...text].reverse().join('')}`)));
        assert.equal(bit.popc32(a), [...text].filter((x) => x === '1').length);
        assert.equal(bit.clz32(a), text.includes('1') ? text.indexOf('1') : 32);
      }),
      { numRuns: 3000 },
    );
  });

  it('bmsk and szext', () => {
    const amount = fc.oneof(fc.nat(40), word);
    fc.assert(
      fc.property(word, amount, amount, (x, a, b) => {
        for (const mode of ['clamp', 'wrap'] as const) {
          const [a1, b1] = [a & 31, b & 31];
          const big = (v: number) => v >>> 0 >= 32;
          let mask0 = 0xffffffffn << BigInt(a1);
          let mask1 = 0xffffffffn << BigInt(a1 + b1);
          const position = mode === 'clamp' && big(a);
          if (position) mask0 = 0n;
          if (a1 + b1 >= 32 || position || (mode === 'clamp' && big(b))) mask1 = 0n;
          else if (b1 === 0) mask1 = 0xffffffffn;
          assert.equal(bit.bmsk(a, b, mode), to32(mask0 & ~mask1), `bmsk.${mode} ${a} ${b}`);
          for (const signed of [false, true]) {
            const tooLarge = big(b) && mode === 'clamp';
            const mask = tooLarge ? 0n : 0xffffffffn << BigInt(b1);
            const sign = b1 === 0 || tooLarge || !signed ? 0n : bitOf(U32(x), (b1 - 1) & 31);
            const expected = (U32(x) & ~mask) | (sign ? mask : 0n);
            assert.equal(bit.szext(x, b, signed, mode), to32(expected), `szext.${mode} ${x} ${b}`);
          }
        }
      }),
    );
    assert.equal(bit.bmsk(1, 2, 'wrap'), 6);
    assert.equal(bit.szext(0xffffffff, 0, false, 'wrap'), 0);
  });

  it('fns finds the examples of the ISA', () => {
    assert.equal(bit.fns(0xaaaaaaaa, 3, 1), 3);
    assert.equal(bit.fns(0xaaaaaaaa, 3, -1), 3);
    assert.equal(bit.fns(0xaaaaaaaa, 2, 1), 3);
    assert.equal(bit.fns(0xaaaaaaaa, 2, -1), 1);
    assert.equal(bit.fns(0xaaaaaaaa, 3, 0), 3);
    assert.equal(bit.fns(0xaaaaaaaa, 2, 0), -1);
    assert.equal(bit.fns(0x80000001, 0, 2), 31);
    assert.equal(bit.fns(0x80000001, 31, -2), 0);
    assert.equal(bit.fns(0x80000001, 0, 3), -1);
  });

  it('prmt selects bytes in the generic form and in each mode', () => {
    const a = 0x83828180;
    const b = 0x07060504;
    fc.assert(
      fc.property(word, word, fc.nat(0xffff), (x, y, c) => {
        const source = (U32(y) << 32n) | U32(x);
        let expected = 0n;
        for (let i = 0; i < 4; i++) {
          const s = (c >> (4 * i)) & 0xf;
          const byte = (source >> BigInt(8 * (s & 7))) & 0xffn;
          expected |= (s & 8 ? (byte & 0x80n ? 0xffn : 0n) : byte) << BigInt(8 * i);
        }
        assert.equal(bit.prmt(x, y, c), to32(expected));
      }),
    );
    // ISA table: bytes named by source number, most significant first.
    const TABLE = {
      f4e: ['3210', '4321', '5432', '6543'],
      b4e: ['5670', '6701', '7012', '0123'],
      rc8: ['0000', '1111', '2222', '3333'],
      ecl: ['3210', '3211', '3222', '3333'],
      ecr: ['0000', '1110', '2210', '3210'],
      rc16: ['1010', '3232', '1010', '3232'],
    } as const;
    const bytes = [0x80, 0x81, 0x82, 0x83, 0x04, 0x05, 0x06, 0x07];
    for (const [mode, rows] of Object.entries(TABLE) as [bit.PermuteMode, readonly string[]][]) {
      rows.forEach((row, c) => {
        const expected = [...row].reduce((word, n) => (word << 8) | bytes[Number(n)]!, 0);
        assert.equal(bit.prmt(a, b, 0xfffffffc | c, mode), expected, `prmt.${mode} ${c}`);
      });
    }
  });

  it('lop3 is the table, for all 256 tables', () => {
    for (let table = 0; table < 256; table++) {
      // The ISA derives the table by applying the function to these three constants.
      assert.equal(bit.lop3(0xf0, 0xcc, 0xaa, table) & 0xff, table);
    }
    assert.equal(bit.lop3(0x0f0f0f0f, 0x33333333, 0x55555555, 0x96), 0x0f0f0f0f ^ 0x33333333 ^ 0x55555555);
  });
});

describe('64-bit arithmetic', () => {
  it('agrees with BigInt and the pseudocode of the ISA', () => {
    const amount = fc.oneof(fc.nat(130), word);
    fc.assert(
      fc.property(wide, wide, wide, amount, amount, (a, b, c, m, n) => {
        assert.equal(i64.mulHiU64(a, b), (a * b) >> 64n);
        assert.equal(i64.mulHiS64(a, b), U64((S64(a) * S64(b)) >> 64n));
        assert.equal(i64.madLo64(a, b, c), U64(a * b + c));
        const abs = (x: bigint) => (x < 0n ? -x : x);
        assert.equal(i64.sadU64(a, b, c), U64(c + abs(a - b)));
        assert.equal(i64.sadS64(a, b, c), U64(c + abs(S64(a) - S64(b))));
        if (b !== 0n) {
          assert.equal(i64.divU64(a, b), a / b);
          assert.equal(i64.remU64(a, b), a % b);
          assert.equal(i64.divS64(a, b), U64(S64(a) / S64(b)));
          assert.equal(i64.remS64(a, b), U64(S64(a) % S64(b)));
        }
        assert.equal(i64.minU64(a, b), a < b ? a : b);
        assert.equal(i64.maxS64(a, b), S64(a) > S64(b) ? a : b);
        assert.equal(i64.absS64(a), U64(abs(S64(a))));
        assert.equal(i64.bfeU64(a, m, n), bfePlain(a, m, n, 64, false), `bfe.u64 ${a} ${m} ${n}`);
        assert.equal(i64.bfeS64(a, m, n), bfePlain(a, m, n, 64, true), `bfe.s64 ${a} ${m} ${n}`);
        assert.equal(i64.bfi64(a, b, m, n), U64(bfiPlain(a, b, m, n, 64)));
        for (const signed of [false, true]) {
          for (const shiftamt of [false, true]) {
            assert.equal(i64.bfind64(a, signed, shiftamt), bfindPlain(a, 64, signed, shiftamt));
          }
        }
        const text = a.toString(2).padStart(64, '0');
        assert.equal(i64.brev64(a), BigInt(`0b${[...text].reverse().join('')}`));
        assert.equal(i64.popc64(a), [...text].filter((x) => x === '1').length);
        assert.equal(i64.clz64(a), text.includes('1') ? text.indexOf('1') : 64);
        const s = m >>> 0;
        assert.equal(i64.shl64(a, m), s > 63 ? 0n : U64(a << BigInt(s)));
        assert.equal(i64.shrU64(a, m), s > 63 ? 0n : a >> BigInt(s));
        assert.equal(i64.shrS64(a, m), U64(S64(a) >> BigInt(Math.min(s, 63))));
        assert.deepEqual(i64.addCarry64(a, b, 1), { value: U64(a + b + 1n), carry: Number((a + b + 1n) >> 64n) });
        assert.deepEqual(i64.subBorrow64(a, b, 1), { value: U64(a - b - 1n), carry: a - b - 1n < 0n ? 1 : 0 });
      }),
      { numRuns: 1500 },
    );
  });

  it('gives the same on two 32-bit words', () => {
    const low = (x: bigint) => Number(BigInt.asIntN(32, x));
    const high = (x: bigint) => Number(BigInt.asIntN(32, x >> 32n));
    fc.assert(
      fc.property(wide, wide, fc.oneof(fc.nat(70), word), (a, b, n) => {
        const join = (l: number) => (BigInt(words.highResult() >>> 0) << 32n) | BigInt(l >>> 0);
        const [al, ah, bl, bh] = [low(a), high(a), low(b), high(b)];
        assert.equal(join(words.addWords(al, ah, bl, bh)), U64(a + b));
        assert.equal(join(words.subWords(al, ah, bl, bh)), U64(a - b));
        assert.equal(join(words.mulWords(al, ah, bl, bh)), U64(a * b));
        assert.equal(join(words.mulWideWordsU32(al, bl)), U32(al) * U32(bl));
        assert.equal(join(words.mulWideWordsS32(al, bl)), U64(S32(al) * S32(bl)));
        assert.equal(join(words.shlWords(al, ah, n)), i64.shl64(a, n));
        assert.equal(join(words.shrWords(al, ah, n, false)), i64.shrU64(a, n));
        assert.equal(join(words.shrWords(al, ah, n, true)), i64.shrS64(a, n));
        assert.equal(words.compareWords(al, ah, bl, bh, false), a < b ? -1 : a > b ? 1 : 0);
        assert.equal(words.compareWords(al, ah, bl, bh, true), S64(a) < S64(b) ? -1 : S64(a) > S64(b) ? 1 : 0);
      }),
      { numRuns: 2000 },
    );
  });
});
