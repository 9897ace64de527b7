/**
 * The typed intermediate representation of PTX. The parser makes it, the interpreter and the compiler read it.
 *
 * A function is a flat list of instructions; labels are resolved to instruction indices, registers to dense ids
 * (nested scopes get ids of their own), symbols to {@link Variable} objects. Everything that execution depends on
 * is decoded into typed fields: nobody downstream looks at opcode text again.
 */

/** Fundamental and packed types that instructions name. */
export type PtxType =
  | 'pred'
  | 'b8'
  | 'b16'
  | 'b32'
  | 'b64'
  | 'b128'
  | 'u8'
  | 'u16'
  | 'u32'
  | 'u64'
  | 's8'
  | 's16'
  | 's32'
  | 's64'
  | 'f16'
  | 'f16x2'
  | 'bf16'
  | 'bf16x2'
  | 'tf32'
  | 'f32'
  | 'f32x2'
  | 'f64'
  | 'u16x2'
  | 's16x2'
  | 's4'
  | 'u4'
  | 'b1'
  | 'e4m3x2'
  | 'e5m2x2'
  | 'e4m3'
  | 'e5m2';

/** Bytes that a value of the type takes in memory (sub-byte types: 1; predicates: 1). */
export const TYPE_BYTES: Readonly<Record<PtxType, number>> = {
  pred: 1,
  b1: 1,
  s4: 1,
  u4: 1,
  b8: 1,
  u8: 1,
  s8: 1,
  e4m3: 1,
  e5m2: 1,
  b16: 2,
  u16: 2,
  s16: 2,
  f16: 2,
  bf16: 2,
  e4m3x2: 2,
  e5m2x2: 2,
  b32: 4,
  u32: 4,
  s32: 4,
  f32: 4,
  tf32: 4,
  f16x2: 4,
  bf16x2: 4,
  u16x2: 4,
  s16x2: 4,
  b64: 8,
  u64: 8,
  s64: 8,
  f64: 8,
  f32x2: 8,
  b128: 16,
};

export function isPtxType(text: string): text is PtxType {
  return Object.hasOwn(TYPE_BYTES, text);
}

/** True for signed integer types. */
export function isSigned(type: PtxType): boolean {
  return type === 's8' || type === 's16' || type === 's32' || type === 's64' || type === 's4' || type === 's16x2';
}

/** True for scalar and packed floating-point types. */
export function isFloat(type: PtxType): boolean {
  return /^(b?f|tf|e[45]m)/.test(type);
}

/** State spaces. `generic` is an access without a space. */
export type Space = 'generic' | 'global' | 'shared' | 'local' | 'const' | 'param';

/** Rounding modes; the `i` forms round to an integral value. */
export type Rounding = 'rn' | 'rz' | 'rm' | 'rp' | 'rna' | 'rni' | 'rzi' | 'rmi' | 'rpi';

export type Semantics = 'weak' | 'relaxed' | 'acquire' | 'release' | 'acq_rel' | 'sc' | 'volatile' | 'mmio';
export type Scope = 'cta' | 'cluster' | 'gpu' | 'sys';

export interface SourceLocation {
  readonly file: string;
  readonly line: number;
  /** Where the function that holds this line was inlined, if it was. */
  readonly inlinedAt?: SourceLocation;
}

/** A symbol inside an initialiser: the address of `symbol` + `addend` goes to `offset`. */
export interface Relocation {
  readonly offset: number;
  readonly bytes: number;
  readonly symbol: string;
  readonly addend: number;
  /** `generic(symbol)`: the generic address rather than that of the symbol's own space. */
  readonly generic: boolean;
  /** The address is shifted right by this many bits first (`0xFF00(symbol)` stores its second byte). */
  readonly shift: number;
}

/** A variable of the module or of one function, or a parameter. */
export interface Variable {
  readonly name: string;
  readonly space: Exclude<Space, 'generic'>;
  readonly type: PtxType;
  readonly align: number;
  /** Size in bytes; 0 for `x[]` (dynamic shared memory). */
  readonly bytes: number;
  readonly linkage: 'internal' | 'visible' | 'extern' | 'weak' | 'common';
  /** Initial bytes, `bytes` long; absent: zeros for global and const, undefined content for shared and local. */
  readonly initial?: Uint8Array;
  readonly relocations: readonly Relocation[];
  /** `kernel-parameter`: lives in the launch's parameter buffer. `frame`: one copy for each call of the function. */
  readonly owner: 'module' | 'kernel-parameter' | 'frame';
  /**
   * Offset in the owner's area of that space: for local in {@link PtxFunction.localBytes}; for kernel parameters in the
   * launch's parameter buffer ({@link PtxFunction.paramBytes}); for other `.param` variables (call sites, and the
   * parameters and returns of a `.func`) in {@link PtxFunction.frameParamBytes}. Shared, global and const variables are
   * placed by the loader; here it is -1.
   */
  readonly offset: number;
  readonly ptxLine: number;
}

export interface Register {
  readonly name: string;
  readonly type: PtxType;
}

/** Special registers that are supported, by PTX name without the `%`. */
export type SpecialRegister =
  | `${'tid' | 'ntid' | 'ctaid' | 'nctaid' | 'clusterid' | 'nclusterid' | 'cluster_ctaid' | 'cluster_nctaid'}.${'x' | 'y' | 'z'}`
  | 'laneid'
  | 'warpid'
  | 'nwarpid'
  | 'smid'
  | 'nsmid'
  | 'gridid'
  | `lanemask_${'eq' | 'le' | 'lt' | 'ge' | 'gt'}`
  | 'clock'
  | 'clock_hi'
  | 'clock64'
  | 'globaltimer'
  | 'globaltimer_lo'
  | 'globaltimer_hi'
  | 'total_smem_size'
  | 'dynamic_smem_size'
  | 'cluster_ctarank'
  | 'cluster_nctarank'
  | 'is_explicit_cluster'
  /** High and low word of the address of the grid's workspace, which cooperative launches synchronise in. */
  | 'envreg1'
  | 'envreg2'
  /** Where the shared memory starts that cooperative groups of several warps communicate in. */
  | 'reserved_smem_offset_1'
  | 'WARP_SZ';

/** Byte or half-word selector of a source (`%r1.b0`, `%r1.h1`), used by the video instructions. */
export type Operand =
  | { readonly kind: 'register'; readonly id: number; readonly type: PtxType }
  /** Raw bits: two's complement for integers, IEEE bits of the instruction's type for floats. 64 bits wide. */
  | { readonly kind: 'immediate'; readonly bits: bigint }
  | { readonly kind: 'special'; readonly register: SpecialRegister }
  /** `coordinates`: of a texel, a vector. */
  | {
      readonly kind: 'address';
      readonly base: AddressBase;
      readonly offset: number;
      readonly coordinates?: Operand;
    }
  /** The address of a variable as a value (`mov.u64 %rd1, table+4`). */
  | { readonly kind: 'symbol'; readonly variable: Variable; readonly offset: number }
  | { readonly kind: 'function'; readonly name: string }
  | { readonly kind: 'vector'; readonly elements: readonly Operand[] }
  | { readonly kind: 'label'; readonly target: number }
  | { readonly kind: 'predicate'; readonly id: number; readonly negated: boolean }
  /** `_`: the result is thrown away. */
  | { readonly kind: 'sink' };

export type AddressBase =
  | { readonly kind: 'register'; readonly id: number; readonly type: PtxType }
  | { readonly kind: 'variable'; readonly variable: Variable }
  /** An absolute address: `[0]`, `[16]`. */
  | { readonly kind: 'absolute' };

export interface Guard {
  readonly register: number;
  readonly negated: boolean;
}

interface Common {
  /** Base opcode: `add`, `ld`, `mma`. */
  readonly op: string;
  readonly guard: Guard | undefined;
  /** Destinations, in order. For `d|p` the predicate (or second result) is the second entry. */
  readonly dst: readonly Operand[];
  readonly src: readonly Operand[];
  /** The instruction's text, for findings. */
  readonly text: string;
  readonly line: number;
  readonly source: SourceLocation | undefined;
}

/** Value computations: no memory, no other lane. `op` names the operation; sources are in PTX order. */
export interface Arithmetic extends Common {
  readonly kind: 'arithmetic';
  readonly type: PtxType;
  /** Absent when the text names none (add/sub/mul of floats: as `rn`, but contraction is allowed). */
  readonly rounding: Rounding | undefined;
  readonly ftz: boolean;
  readonly sat: boolean;
  readonly approx: boolean;
  /** `div.full`. */
  readonly full: boolean;
  /** `.lo`, `.hi`, `.wide` of mul, mad; `.lo`, `.hi` of dp2a. */
  readonly half: 'lo' | 'hi' | 'wide' | undefined;
  /** `.cc`: the carry is written. `addc`, `subc`, `madc` read it. */
  readonly carryOut: boolean;
  readonly relu: boolean;
  /** `.NaN` of min and max. */
  readonly nan: boolean;
  readonly xorsignAbs: boolean;
  /** shf: direction and `.clamp`/`.wrap`; prmt: mode; lop3 is plain; testp: the property; bfind: `shiftamt`. */
  readonly variant: string | undefined;
  /** dp4a and dp2a: the type of the second source (`type` is that of the first). */
  readonly secondType: PtxType | undefined;
}

/** setp, set, selp, slct. */
export interface Compare extends Common {
  readonly kind: 'compare';
  readonly op: 'setp' | 'set' | 'selp' | 'slct';
  /** Type of the compared (setp, set, slct's c) or selected (selp) sources. */
  readonly type: PtxType;
  /** Result type of set and slct; `pred` for setp. */
  readonly resultType: PtxType;
  /** eq ne lt le gt ge lo ls hi hs equ neu ltu leu gtu geu num nan. Undefined for selp and slct. */
  readonly comparison: string | undefined;
  /** Combine with the third source, a predicate. */
  readonly boolean: 'and' | 'or' | 'xor' | undefined;
  readonly ftz: boolean;
}

export interface Convert extends Common {
  readonly kind: 'convert';
  readonly to: PtxType;
  readonly from: PtxType;
  readonly rounding: Rounding | undefined;
  readonly ftz: boolean;
  readonly sat: boolean;
  readonly relu: boolean;
}

/** mov (also packing and unpacking of vectors) and cvta. */
export interface Move extends Common {
  readonly kind: 'move';
  readonly op: 'mov' | 'cvta' | 'isspacep' | 'getctarank' | 'mapa';
  readonly type: PtxType;
  /** cvta: the named space; isspacep: the asked one. */
  readonly space: Space | undefined;
  /** `cvta.to`: generic to `space`; otherwise from `space` to generic. */
  readonly toSpace: boolean;
  /** The space is `.shared::cluster`. */
  readonly clusterWide?: boolean;
}

/** ld, ldu, st. Address: src[0] of a load, dst-less src[0] of a store, whose value is src[1]. */
export interface MemoryAccess extends Common {
  readonly kind: 'memory';
  readonly op: 'ld' | 'st';
  readonly space: Space;
  readonly semantics: Semantics;
  readonly scope: Scope | undefined;
  /** ld.global.nc: read-only for the life of the kernel. */
  readonly nonCoherent: boolean;
  /** `.shared::cluster`: the address may belong to another block of the cluster. */
  readonly clusterWide: boolean;
  readonly vector: 1 | 2 | 4 | 8;
  readonly type: PtxType;
}

/** atom and red. src[0] is the address, then the operands; red has no destination. */
export interface Atomic extends Common {
  readonly kind: 'atomic';
  readonly op: 'atom' | 'red';
  readonly operation: 'add' | 'exch' | 'cas' | 'inc' | 'dec' | 'min' | 'max' | 'and' | 'or' | 'xor';
  readonly space: Space;
  readonly semantics: Semantics;
  readonly scope: Scope;
  /** `.shared::cluster`: the address may belong to another block of the cluster. */
  readonly clusterWide: boolean;
  readonly noftz: boolean;
  readonly vector: 1 | 2 | 4 | 8;
  readonly type: PtxType;
}

/** bra, brx.idx, call, ret, exit, trap, brkpt. */
export interface Control extends Common {
  readonly kind: 'control';
  readonly op: 'bra' | 'brx' | 'call' | 'ret' | 'exit' | 'trap' | 'brkpt';
  readonly uniform: boolean;
  /** bra: one; brx: all, in table order (src[0] is the index). Instruction indices; may equal the list's length. */
  readonly targets: readonly number[];
  readonly call: CallSite | undefined;
}

export interface CallSite {
  /** A function's name, or the register that holds a function's address. */
  readonly target: string | { readonly register: number };
  readonly returns: readonly Operand[];
  readonly args: readonly Operand[];
}

/** bar, barrier (CTA barriers), barrier.cluster. */
export interface Barrier extends Common {
  readonly kind: 'barrier';
  readonly operation: 'sync' | 'arrive' | 'red' | 'cluster-arrive' | 'cluster-wait';
  /** bar.red: how predicates are combined; popc has an u32 result. */
  readonly reduction: 'popc' | 'and' | 'or' | undefined;
  /** barrier.cluster.arrive.relaxed: nothing that came before is ordered by it. */
  readonly relaxed: boolean;
  readonly aligned: boolean;
  /** Barrier id, in src. */
  readonly id: Operand | undefined;
  /** Thread count, if given. */
  readonly count: Operand | undefined;
  /** bar.red's predicate. */
  readonly predicate: Operand | undefined;
}

/** Warp-wide exchanges: convergence points of their member mask. */
export interface Warp extends Common {
  readonly kind: 'warp';
  readonly op: 'shfl' | 'vote' | 'match' | 'redux' | 'activemask' | 'warpsync' | 'elect';
  /** shfl: up down bfly idx; vote: all any uni ballot; match: all any; redux: add min max and or xor. */
  readonly mode: string | undefined;
  readonly type: PtxType;
  /** Lanes that take part; undefined for activemask and the forms without `.sync`. */
  readonly members: Operand | undefined;
}

/** membar, fence. */
export interface Fence extends Common {
  readonly kind: 'fence';
  readonly semantics: Semantics;
  readonly scope: Scope;
  /** fence.proxy and the like. */
  readonly proxy: string | undefined;
}

/** mbarrier: src[0] is its address. */
export interface Mbarrier extends Common {
  readonly kind: 'mbarrier';
  readonly operation:
    | 'init'
    | 'inval'
    | 'arrive'
    | 'arrive-drop'
    | 'expect-tx'
    | 'complete-tx'
    | 'test-wait'
    | 'try-wait'
    | 'pending-count'
    /** cp.async.mbarrier.arrive: when the thread's copies so far have landed. */
    | 'arrive-after-copies';
  /** arrive.expect_tx: src[1] is the transaction count. */
  readonly expectsTransactions: boolean;
  /** arrive.noComplete; cp.async.mbarrier.arrive.noinc. */
  readonly variant: 'noComplete' | 'noinc' | undefined;
  /** test_wait and try_wait by the parity of the phase instead of a state. */
  readonly parity: boolean;
  readonly semantics: Semantics;
  readonly scope: Scope;
  readonly space: Space;
  /** `.shared::cluster`: the mbarrier may belong to another block of the cluster. */
  readonly clusterWide: boolean;
}

/** cp.async.bulk and cp.reduce.async.bulk of bytes in a row. */
export interface BulkCopy extends Common {
  readonly kind: 'bulk';
  /** src of a copy: destination, source, bytes; into shared memory the mbarrier; with multicast the mask of blocks. */
  readonly operation: 'copy' | 'prefetch';
  readonly targetSpace: 'shared' | 'global';
  readonly sourceSpace: 'shared' | 'global';
  readonly multicast: boolean;
  /** cp.reduce: how the source's elements are combined with the destination's, and their type. */
  readonly reduction: BulkReduction | undefined;
  readonly type: PtxType;
}

export type BulkReduction = 'add' | 'min' | 'max' | 'inc' | 'dec' | 'and' | 'or' | 'xor';

/**
 * cp.async.bulk.tensor, cp.reduce.async.bulk.tensor and their prefetch, in tile mode. The tensor map is an address with the
 * coordinates of the box. src of a load: destination, map, mbarrier, with multicast the mask of blocks; of a store: map,
 * source; of a prefetch: map.
 */
export interface TensorCopy extends Common {
  readonly kind: 'tensor-copy';
  readonly operation: 'load' | 'store' | 'prefetch';
  readonly dimensions: number;
  readonly multicast: boolean;
  readonly reduction: BulkReduction | undefined;
}

/** cp.async.bulk.commit_group and wait_group. */
export interface BulkGroup extends Common {
  readonly kind: 'bulk-group';
  /** wait: src[0] is how many groups may be left. */
  readonly operation: 'commit' | 'wait';
}

/** st.async and red.async. src: destination, value (or a vector of them), mbarrier. */
export interface AsyncStore extends Common {
  readonly kind: 'async-store';
  readonly type: PtxType;
  readonly reduction: BulkReduction | undefined;
}

/** mapa and getctarank. */
export interface Cluster extends Common {
  readonly kind: 'cluster';
  readonly op: 'mapa' | 'getctarank';
  readonly type: PtxType;
  /** shared: addresses of the shared window; generic otherwise. */
  readonly space: Space;
}

export type TextureGeometry = '1d' | '2d' | '3d' | 'a1d' | 'a2d' | 'cube' | 'acube';

/** tex, tld4, txq, suld, sust, suq. src[0] is an address whose base is the handle, with the coordinates. */
export interface Texture extends Common {
  readonly kind: 'texture';
  readonly op: 'tex' | 'tld4' | 'txq' | 'suld' | 'sust' | 'suq';
  readonly geometry: TextureGeometry;
  /** Elements of the result or of the value stored. */
  readonly vector: 1 | 2 | 4;
  readonly type: PtxType;
  /** Type of the coordinates. */
  readonly coordinateType: 's32' | 'f32';
  /** suld and sust: what happens outside. */
  readonly outside: 'trap' | 'clamp' | 'zero';
  /** tld4: which component is gathered, 0 to 3. */
  readonly component: number;
  /** txq, suq: width, height, depth and so on. */
  readonly query: string | undefined;
}

/** An instruction that is not understood: a kernel that may reach it cannot be launched. */
export interface Unsupported extends Common {
  readonly kind: 'unsupported';
  readonly reason: string;
}

/** cp.async and its groups. */
export interface AsyncCopy extends Common {
  readonly kind: 'async';
  readonly operation: 'copy' | 'commit' | 'wait-group' | 'wait-all';
  /** Bytes of one copy: 4, 8 or 16. src: destination address, source address, size operand, then src-size. */
  readonly cache: 'ca' | 'cg' | undefined;
}

export type FragmentLayout = 'row' | 'col';

/** wmma.load/store/mma, mma.sync, ldmatrix, stmatrix. */
export interface Matrix extends Common {
  readonly kind: 'matrix';
  readonly op: 'wmma' | 'mma' | 'ldmatrix' | 'stmatrix';
  readonly operation: 'load-a' | 'load-b' | 'load-c' | 'store-d' | 'mma' | 'ldmatrix' | 'stmatrix';
  /** m, n, k; for ldmatrix and stmatrix the 8x8 shape, k = 0. */
  readonly shape: readonly [m: number, n: number, k: number];
  readonly layoutA: FragmentLayout | undefined;
  readonly layoutB: FragmentLayout | undefined;
  /** wmma.load, wmma.store: memory layout of that matrix. */
  readonly layout: FragmentLayout | undefined;
  readonly types: { readonly d: PtxType; readonly a: PtxType; readonly b: PtxType; readonly c: PtxType };
  /** ldmatrix, stmatrix: how many 8x8 matrices. */
  readonly count: 1 | 2 | 4;
  readonly transposed: boolean;
  readonly saturate: boolean;
  /** Space of wmma.load, wmma.store, ldmatrix, stmatrix. */
  readonly space: Space;
  /** mma of single-bit matrices: xor.popc or and.popc. */
  readonly bitOperation: 'xor' | 'and' | undefined;
}

/** wgmma: fence, commit_group, wait_group and mma_async. */
export interface Wgmma extends Common {
  readonly kind: 'wgmma';
  /** mma: src holds A (a descriptor, or a vector of registers), B's descriptor, scale-d, and the numbers that follow. */
  readonly operation: 'fence' | 'commit' | 'wait' | 'mma';
  readonly shape: readonly [m: number, n: number, k: number];
  readonly types: { readonly d: PtxType; readonly a: PtxType; readonly b: PtxType };
  readonly saturate: boolean;
}

/** Hints and system instructions. `effect` says what execution must do. */
export interface System extends Common {
  readonly kind: 'system';
  readonly effect: 'none' | 'nanosleep' | 'alloca' | 'stacksave' | 'stackrestore';
  readonly type: PtxType;
}

export type Instruction =
  | Arithmetic
  | Compare
  | Convert
  | Move
  | MemoryAccess
  | Atomic
  | Control
  | Barrier
  | Warp
  | Fence
  | AsyncCopy
  | Mbarrier
  | BulkCopy
  | TensorCopy
  | BulkGroup
  | AsyncStore
  | Cluster
  | Texture
  | Matrix
  | Wgmma
  | System
  | Unsupported;

export interface Performance {
  readonly maxThreads?: readonly [number, number, number];
  readonly requiredThreads?: readonly [number, number, number];
  readonly requiredCluster?: readonly [number, number, number];
  /** The most blocks of a cluster (`.maxclusterrank`). */
  readonly maxClusterBlocks?: number;
  readonly minBlocksPerSm?: number;
  readonly maxRegisters?: number;
}

/** A parameter or return value of a function: a `.param` variable, or a register (`.reg`, device functions only). */
export type Parameter =
  | { readonly kind: 'variable'; readonly variable: Variable }
  | { readonly kind: 'register'; readonly register: number };

export interface PtxFunction {
  readonly name: string;
  readonly entry: boolean;
  readonly linkage: Variable['linkage'];
  readonly params: readonly Parameter[];
  readonly returns: readonly Parameter[];
  readonly registers: readonly Register[];
  /** Local, shared and `.param` (call-site) variables declared in the body. */
  readonly variables: readonly Variable[];
  readonly instructions: readonly Instruction[];
  /** Label name -> instruction index; for messages and disassembly. */
  readonly labels: ReadonlyMap<string, number>;
  readonly performance: Performance;
  /** Bytes of all `.local` variables with their alignment. */
  readonly localBytes: number;
  /** Bytes of the kernel parameters (entries; 0 for a `.func`). */
  readonly paramBytes: number;
  /** Bytes of call sites' `.param` variables and, in a `.func`, of its own parameters and returns. */
  readonly frameParamBytes: number;
  readonly ptxLine: number;
}

export interface PtxModule {
  readonly name: string;
  readonly version: string;
  readonly target: string;
  readonly variables: readonly Variable[];
  /** Functions with a body, by name. */
  readonly functions: ReadonlyMap<string, PtxFunction>;
  /** Functions that are only declared (`vprintf`, `__assertfail`, `malloc`, `free`). */
  readonly externals: ReadonlySet<string>;
  readonly files: ReadonlyMap<number, string>;
}

/** PTX that cannot be loaded: a syntax error or something not supported, with its line and text. */
export class PtxError extends Error {
  override readonly name = 'PtxError';
  readonly line: number;
  /** The instruction or directive in question. */
  readonly text: string;
  /** The message without the place. */
  readonly reason: string;

  constructor(reason: string, line: number, text: string) {
    super(`PTX line ${line}: ${reason}${text === '' ? '' : ` (in \`${text}\`)`}`);
    this.reason = reason;
    this.line = line;
    this.text = text;
  }
}
