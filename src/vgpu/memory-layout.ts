/**
 * Where everything lies in the one WebAssembly memory, and what device addresses mean. Interpreter and compiled code
 * share this page; both must keep to it.
 *
 * ## Device addresses (64 bits)
 *     high 32 bits                      low 32 bits
 *     GLOBAL_TAG + colour (1 to 15)     offset in the WebAssembly memory         global and const memory
 *     SHARED_TAG                        offset in the block's shared area        generic address of shared memory
 *     LOCAL_TAG                         offset in the thread's local area        generic address of local memory
 *     PARAM_TAG                         offset in the launch's parameter buffer  generic address of a kernel parameter
 *     FUNCTION_TAG                      index in the module's function table     address of a device function
 *     TEXTURE_TAG                       index of a texture or surface            handle of a texture or surface
 * In the shared, local and param spaces themselves (`ld.shared`, `st.local`) an address is the low word alone, 32 or 64
 * bits wide with a zero high word; `cvta` adds or removes the tag. Global and const addresses are generic already:
 * their `cvta` copies. In a cluster of blocks, bits 24 and up of an address of shared memory hold 1 + the rank of the block
 * that it belongs to (what `mapa` gives); zero there means the block that uses the address.
 *
 * ## The WebAssembly memory
 *     [0, HEAP_BASE)        shadow: the byte at offset >> 2 describes the 4-byte word at that offset (SHADOW_BASE is 0)
 *     [HEAP_BASE, end)      device heap: allocations with red zones between; launches take their shared, local and
 *                           parameter areas from here too. No byte below HEAP_BASE is ever a target of an access.
 * The shadow of the shadow is never written, so it is zero: an address below HEAP_BASE is out of bounds by the same test.
 *
 * ## The shadow byte
 *     high nibble   colour of the allocation, if this launch may touch it and the whole word belongs to it; else 0
 *     low nibble    bit i: byte i of the word is initialised
 * A checked global access of size n (1, 2, 4, 8 or 16, naturally aligned) at high:low is right when, for each word,
 *     high - GLOBAL_TAG == shadow >> 4   and, for a read,   (shadow & needed) == needed
 * with needed = the bits of the bytes read; colours are 1 to 15, so an address with another tag can never match. A write
 * sets those bits. When the test fails, {@link DeviceMemory.resolveGlobal} decides exactly: words that an allocation owns
 * in part (its size is no multiple of 4), const memory (nibble 0, so that writes are seen) and 15+ colours' corner cases
 * are legal there; everything else is a fault, which it explains.
 *
 * Shared, local and parameter areas have nibble 0 (no global address may reach them); their bounds are plain compares of
 * the offset with the area's size, and only the low nibbles of their shadow are used. Shared and local areas are
 * uninitialised when a block starts, and their bytes are poisoned.
 */

/** Shadow byte of the word that holds offset o: SHADOW_BASE + (o >>> 2). */
export const SHADOW_BASE = 0;
/** First byte of the device heap. */
export const HEAP_BASE = 0x4000_0000;
/** High word of global addresses is GLOBAL_TAG + colour. */
export const GLOBAL_TAG = 0x7f00;
export const SHARED_TAG = 0x7e00;
export const LOCAL_TAG = 0x7e01;
export const PARAM_TAG = 0x7e02;
export const FUNCTION_TAG = 0x7e03;
/** High word of the handles of textures and surfaces. */
export const TEXTURE_TAG = 0x7e04;
/** High word of the first eight bytes of a tensor map. */
export const TENSOR_MAP_TAG = 0x7e05;
/** Where the rank of a block of the cluster begins in an address of shared memory. */
export const CLUSTER_RANK_SHIFT = 24;
/** Colours are 1 to COLOURS. */
export const COLOURS = 15;
/** Alignment of allocations, as cudaMalloc gives it. */
export const ALLOCATION_ALIGNMENT = 256;
/** Unallocated bytes after each allocation, at least. */
export const RED_ZONE = 256;
/** What uninitialised shared and local bytes hold: as f32 a NaN-free but absurd number, as an index far away. */
export const POISON_BYTE = 0xfb;

/** The device address of a byte of the WebAssembly memory that belongs to an allocation of this colour. */
export function globalAddress(offset: number, colour: number): bigint {
  return (BigInt(GLOBAL_TAG + colour) << 32n) | BigInt(offset);
}
