/** e4m3 and e5m2 against their definition: every pattern round trips, and every value goes to the nearest pattern. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fromFloat8, toFloat8 } from './float8.ts';

for (const format of ['e4m3', 'e5m2'] as const) {
  describe(format, () => {
    const decode = fromFloat8(format);
    const encode = toFloat8(format, false);
    const finite = Array.from({ length: 256 }, (_, bits) => bits).filter((bits) => Number.isFinite(decode(bits)));

    it('gives every finite pattern back', () => {
      for (const bits of finite) assert.equal(encode(decode(bits)), bits, `0x${bits.toString(16)}`);
    });

    it('goes to the nearest value, to the even pattern in the middle', () => {
      const positive = finite.filter((bits) => bits < 0x80);
      for (const [index, bits] of positive.slice(0, -1).entries()) {
        const [low, high] = [decode(bits), decode(positive[index + 1]!)];
        const middle = (low + high) / 2;
        assert.equal(encode(middle - (high - low) / 64), bits);
        assert.equal(encode(middle + (high - low) / 64), bits + 1);
        assert.equal(encode(middle), bits % 2 === 0 ? bits : bits + 1);
        assert.equal(encode(-middle), 0x80 | encode(middle));
      }
    });

    it('saturates, keeps NaN, and cuts negatives off with relu', () => {
      const greatest = format === 'e4m3' ? 448 : 57344;
      assert.equal(decode(encode(1e30)), greatest);
      assert.equal(decode(encode(Number.NEGATIVE_INFINITY)), -greatest);
      assert.ok(Number.isNaN(decode(encode(Number.NaN))));
      assert.equal(toFloat8(format, true)(-3), 0);
    });
  });
}
