/** A growing byte buffer with the encodings that WebAssembly uses: LEB128, little-endian floats, names. */

const scratch = new DataView(new ArrayBuffer(8));
const utf8 = new TextEncoder();

export class ByteBuffer {
  private data: Uint8Array<ArrayBuffer>;
  length = 0;

  constructor(capacity: number) {
    this.data = new Uint8Array(capacity);
  }

  private reserve(more: number): void {
    if (this.length + more <= this.data.length) return;
    const grown = new Uint8Array(Math.max(this.data.length * 2, this.length + more));
    grown.set(this.data.subarray(0, this.length));
    this.data = grown;
  }

  byte(value: number): void {
    if (this.length === this.data.length) this.reserve(1);
    this.data[this.length++] = value;
  }

  append(values: ArrayLike<number>): void {
    this.reserve(values.length);
    // Encodings are a few bytes long: `set` costs many times what copying them does.
    if (values.length > 32) this.data.set(values, this.length);
    else for (let index = 0; index < values.length; index++) this.data[this.length + index] = values[index]!;
    this.length += values.length;
  }

  /** Unsigned LEB128 of a 32-bit value. */
  u32(value: number): void {
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.byte(rest);
  }

  /** Overwrites five bytes with an unsigned LEB128 padded to that length. */
  patchU32(at: number, value: number): void {
    for (let index = 0; index < 5; index++)
      this.data[at + index] = ((value >>> (7 * index)) & 0x7f) | (index < 4 ? 0x80 : 0);
  }

  /** Signed LEB128 of a 32-bit value. */
  s32(value: number): void {
    let rest = value | 0;
    while (rest < -0x40 || rest > 0x3f) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>= 7;
    }
    this.byte(rest & 0x7f);
  }

  /** Signed LEB128 of a 64-bit value. */
  s64(value: bigint): void {
    let rest = value;
    while (rest < -0x40n || rest > 0x3fn) {
      this.byte(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    this.byte(Number(rest & 0x7fn));
  }

  f32(value: number): void {
    scratch.setFloat32(0, value, true);
    for (let index = 0; index < 4; index++) this.byte(scratch.getUint8(index));
  }

  f64(value: number): void {
    scratch.setFloat64(0, value, true);
    for (let index = 0; index < 8; index++) this.byte(scratch.getUint8(index));
  }

  /** A length-prefixed UTF-8 string. */
  name(text: string): void {
    const bytes = utf8.encode(text);
    this.u32(bytes.length);
    this.append(bytes);
  }

  bytes(): Uint8Array<ArrayBuffer> {
    return this.data.slice(0, this.length);
  }
}
