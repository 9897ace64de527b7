/**
 * Textures and surfaces: device memory seen through a format, a geometry and, for textures, a sampler. A kernel gets the
 * handle as a 64-bit argument (`cudaTextureObject_t`, `cudaSurfaceObject_t`).
 */
import type { DeviceMemory } from './memory.ts';
import { TEXTURE_TAG } from './memory-layout.ts';
import type { DevicePointer } from './types.ts';

export type AddressMode = 'wrap' | 'clamp' | 'mirror' | 'border';

/** How texels lie in memory. */
export interface TexelFormat {
  readonly channels: 1 | 2 | 4;
  readonly bits: 8 | 16 | 32;
  readonly kind: 'signed' | 'unsigned' | 'float';
}

export interface SurfaceDescription {
  /** The first texel. Rows follow each other every `pitchBytes`, slices and layers every `height` rows. */
  readonly pointer: DevicePointer;
  readonly width: number;
  /** 1 (default) for one dimension. */
  readonly height?: number;
  /** Slices of three dimensions, layers of an array, or 6 faces (times layers) of a cube; default 1. */
  readonly depth?: number;
  /** Default: rows without padding. */
  readonly pitchBytes?: number;
  readonly format: TexelFormat;
}

export interface TextureDescription extends SurfaceDescription {
  /** For x, y and z; the last given counts for the rest. Default clamp. `wrap` and `mirror` need normalised coordinates. */
  readonly addressMode?: readonly AddressMode[];
  /** Default point. Linear needs texels that are read as floats. */
  readonly filterMode?: 'point' | 'linear';
  /** Integer texels of 8 and 16 bits are read as floats in [0, 1] or [-1, 1] (`cudaReadModeNormalizedFloat`). */
  readonly normalizedFloat?: boolean;
  /** Coordinates run from 0 to 1 rather than to the size. */
  readonly normalizedCoordinates?: boolean;
}

export interface BoundTexture {
  readonly kind: 'texture' | 'surface';
  /** Offset in the WebAssembly memory. */
  readonly base: number;
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly pitchBytes: number;
  readonly format: TexelFormat;
  readonly texelBytes: number;
  readonly addressMode: readonly [AddressMode, AddressMode, AddressMode];
  readonly linear: boolean;
  readonly normalizedFloat: boolean;
  readonly normalizedCoordinates: boolean;
}

/** Checks a description against memory. Throws a RangeError that says what does not fit. */
export function bindTexture(
  memory: DeviceMemory,
  kind: BoundTexture['kind'],
  description: TextureDescription,
): BoundTexture {
  const { width, height = 1, depth = 1, format } = description;
  const texelBytes = (format.channels * format.bits) / 8;
  const pitchBytes = description.pitchBytes ?? width * texelBytes;
  for (const [name, value] of Object.entries({ width, height, depth })) {
    if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`the ${kind}'s ${name} is ${value}`);
  }
  if (pitchBytes < width * texelBytes || pitchBytes % texelBytes !== 0) {
    throw new RangeError(`a pitch of ${pitchBytes} bytes does not fit ${width} texels of ${texelBytes} bytes`);
  }
  if (format.kind === 'float' && format.bits === 8) throw new RangeError('there is no float of 8 bits in textures');
  const [x = 'clamp', y = x, z = y] = description.addressMode ?? [];
  const normalizedFloat = description.normalizedFloat === true;
  if (normalizedFloat && (format.kind === 'float' || format.bits === 32)) {
    throw new RangeError('only integer texels of 8 or 16 bits can be read as normalised floats');
  }
  const linear = description.filterMode === 'linear';
  if (linear && format.kind !== 'float' && !normalizedFloat) {
    throw new RangeError('linear filtering needs texels that are read as floats');
  }
  return {
    kind,
    base: memory.range(description.pointer, pitchBytes * (height * depth - 1) + width * texelBytes),
    width,
    height,
    depth,
    pitchBytes,
    format,
    texelBytes,
    addressMode: [x, y, z],
    linear,
    normalizedFloat,
    normalizedCoordinates: description.normalizedCoordinates === true,
  };
}

/** The handle of the n-th texture or surface of a GPU. Handles are never reused. */
export function textureHandle(index: number): bigint {
  return (BigInt(TEXTURE_TAG) << 32n) | BigInt(index);
}
