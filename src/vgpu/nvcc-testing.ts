/** For tests: CUDA text to PTX with the machine's nvcc, and kernel arguments as bytes. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let version: string | undefined | null = null;

/** False, or the reason to skip: tests that need nvcc say so by name. */
export function skipWithoutNvcc(): false | string {
  if (version === null) {
    try {
      version = execFileSync('nvcc', ['--version'], { encoding: 'utf8' });
    } catch {
      version = undefined;
    }
  }
  return version === undefined ? 'nvcc is not on PATH' : false;
}

/** PTX of a CUDA source with line information. */
export function compileCuda(source: string, options: readonly string[] = []): string {
  const folder = mkdtempSync(join(tmpdir(), 'assay-vgpu-'));
  try {
    const input = join(folder, 'kernel.cu');
    const output = join(folder, 'kernel.ptx');
    writeFileSync(input, source);
    execFileSync('nvcc', ['-arch=sm_90', '-O3', '-lineinfo', '-ptx', ...options, input, '-o', output], {
      stdio: 'pipe',
    });
    return readFileSync(output, 'utf8');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Launch arguments as bytes. */
export const arg = {
  i32(value: number): Uint8Array {
    return new Uint8Array(Int32Array.of(value).buffer);
  },
  i64(value: bigint): Uint8Array {
    return new Uint8Array(BigInt64Array.of(value).buffer);
  },
  f32(value: number): Uint8Array {
    return new Uint8Array(Float32Array.of(value).buffer);
  },
  pointer(value: bigint): Uint8Array {
    return new Uint8Array(BigUint64Array.of(value).buffer);
  },
};

export function bytesOf(array: Float32Array | Int32Array | Uint32Array | Float64Array | Uint16Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

export function f32Of(bytes: Uint8Array): Float32Array {
  return new Float32Array(bytes.slice().buffer);
}

export function i32Of(bytes: Uint8Array): Int32Array {
  return new Int32Array(bytes.slice().buffer);
}
