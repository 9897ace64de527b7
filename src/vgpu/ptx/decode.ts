/** Matched modifiers and parsed operands to one typed {@link Instruction}. */
import {
  type Atomic,
  type Barrier,
  type BulkCopy,
  type CallSite,
  type Cluster,
  type Compare,
  type Fence,
  type Guard,
  type Instruction,
  isFloat,
  isPtxType,
  type Matrix,
  type Mbarrier,
  type Operand,
  PtxError,
  type PtxType,
  type Rounding,
  type Scope,
  type Semantics,
  type SourceLocation,
  type Space,
  type Texture,
  TYPE_BYTES,
  type Warp,
  type Wgmma,
} from './ir.ts';
import type { Fields, Matched } from './opcodes.ts';

export interface RawInstruction {
  readonly matched: Matched;
  readonly guard: Guard | undefined;
  readonly dst: Operand[];
  readonly src: Operand[];
  readonly targets: number[];
  readonly call: CallSite | undefined;
  readonly uniform: boolean;
  readonly text: string;
  readonly line: number;
  readonly source: SourceLocation | undefined;
}

const vectorWidth = { v2: 2, v4: 4, v8: 8 } as const;

function typeOf(word: string | undefined, fallback: PtxType): PtxType {
  return word !== undefined && isPtxType(word) ? word : fallback;
}

function spaceOf(word: string | undefined): Space {
  const base = word?.split('::')[0];
  switch (base) {
    case 'global':
    case 'shared':
    case 'local':
    case 'const':
    case 'param':
      return base;
    default:
      return 'generic';
  }
}

/** Names the space the shared memory of a whole cluster? */
function isClusterWide(word: string | undefined): boolean {
  return word === 'shared::cluster';
}

function widthOf(word: string | undefined): 1 | 2 | 4 | 8 {
  return word === 'v2' || word === 'v4' || word === 'v8' ? vectorWidth[word] : 1;
}

/**
 * The typed instruction. What all kinds have in common is written out in each: V8 takes ten microseconds to spread an object
 * into a literal, which was two thirds of the time to load a module.
 */
export function decode(raw: RawInstruction): Instruction {
  const { matched, guard, dst, src, text, line, source } = raw;
  const { op, fields } = matched;
  const fail = (reason: string): PtxError => new PtxError(reason, line, text);
  const type = typeOf(fields.type, 'b32');
  switch (matched.kind) {
    case 'arithmetic':
      return {
        op,
        guard,
        dst,
        src,
        text,
        line,
        source,
        kind: 'arithmetic',
        type,
        rounding: fields.rounding as Rounding | undefined,
        ftz: fields.ftz !== undefined,
        sat: fields.sat !== undefined,
        approx: fields.approx !== undefined,
        full: fields.full !== undefined,
        half: fields.half as 'lo' | 'hi' | 'wide' | undefined,
        carryOut: fields.cc !== undefined,
        relu: fields.relu !== undefined,
        nan: fields.nan !== undefined,
        xorsignAbs: fields.xorsign !== undefined,
        variant: fields.direction === undefined ? fields.variant : `${fields.direction}.${fields.variant}`,
        secondType: isPtxType(fields.secondType ?? '') ? typeOf(fields.secondType, 'b32') : undefined,
      };
    case 'compare':
      return decodeCompare(raw, fields, type, fail);
    case 'convert':
      return decodeConvert(raw, fields, fail);
    case 'move':
      if (op !== 'mov' && op !== 'cvta' && op !== 'isspacep') throw fail(`${op} is not supported`);
      return {
        guard,
        dst,
        src,
        text,
        line,
        source,
        kind: 'move',
        op,
        type: op === 'isspacep' ? 'pred' : type,
        space: fields.space === undefined ? undefined : spaceOf(fields.space),
        toSpace: fields.to !== undefined,
        clusterWide: isClusterWide(fields.space),
      };
    case 'memory': {
      const vector = widthOf(fields.vector);
      if (vector * TYPE_BYTES[type] > 32) throw fail('a vector access moves at most 32 bytes');
      const value = op === 'st' ? src[1] : dst[0];
      const elements = value?.kind === 'vector' ? value.elements.length : 1;
      if (elements !== vector) throw fail(`the vector width is ${vector} but ${elements} values are given`);
      return {
        guard,
        dst,
        text,
        line,
        source,
        src: src.slice(0, op === 'st' ? 2 : 1),
        kind: 'memory',
        op: op === 'st' ? 'st' : 'ld',
        space: spaceOf(fields.space),
        semantics: (fields.semantics ?? 'weak') as Semantics,
        scope: fields.scope as Scope | undefined,
        nonCoherent: fields.nc !== undefined || op === 'ldu',
        clusterWide: isClusterWide(fields.space),
        vector,
        type,
      };
    }
    case 'atomic': {
      const operation = fields.operation as Atomic['operation'];
      return {
        guard,
        dst,
        text,
        line,
        source,
        src: src.slice(0, operation === 'cas' ? 3 : 2),
        kind: 'atomic',
        op: op === 'red' ? 'red' : 'atom',
        operation,
        space: spaceOf(fields.space),
        semantics: (fields.semantics ?? 'relaxed') as Semantics,
        scope: (fields.scope ?? 'gpu') as Scope,
        clusterWide: isClusterWide(fields.space),
        noftz: fields.noftz !== undefined,
        vector: widthOf(fields.vector),
        type,
      };
    }
    case 'control':
      return {
        guard,
        dst,
        src,
        text,
        line,
        source,
        kind: 'control',
        op: op as 'bra' | 'brx' | 'call' | 'ret' | 'exit' | 'trap' | 'brkpt',
        uniform: raw.uniform || fields.uni !== undefined,
        targets: raw.targets,
        call: raw.call,
      };
    case 'barrier': {
      const reduction = fields.reduction as Barrier['reduction'];
      const predicate = reduction === undefined ? undefined : src[src.length - 1];
      const rest = reduction === undefined ? src : src.slice(0, -1);
      return {
        op,
        guard,
        dst,
        src,
        text,
        line,
        source,
        kind: 'barrier',
        operation: (fields.cluster === undefined
          ? fields.operation
          : `cluster-${fields.operation}`) as Barrier['operation'],
        reduction,
        relaxed: fields.semantics === 'relaxed',
        aligned: op === 'bar' || fields.aligned !== undefined,
        id: rest[0],
        count: rest[1],
        predicate,
      };
    }
    case 'warp': {
      const members = op === 'activemask' ? undefined : src[src.length - 1];
      return {
        guard,
        dst,
        src,
        text,
        line,
        source,
        kind: 'warp',
        op: op as Warp['op'],
        mode: fields.mode,
        type,
        members,
      };
    }
    case 'fence':
      return {
        op,
        guard,
        dst,
        src,
        text,
        line,
        source,
        kind: 'fence',
        ...decodeFence(op, fields),
        // One for global memory alone leaves shared memory as it is.
        proxy: fields.kind === 'async' && fields.space === 'global' ? 'async-global' : fields.kind,
      };
    case 'mbarrier':
      return {
        op,
        guard,
        dst,
        src,
        text,
        line,
        source,
        kind: 'mbarrier',
        operation: op === 'mbarrier' ? (MBARRIER_OPERATIONS[fields.operation ?? ''] ?? 'init') : 'arrive-after-copies',
        expectsTransactions: fields.expect_tx !== undefined,
        variant: fields.variant as Mbarrier['variant'],
        parity: fields.parity !== undefined,
        semantics: (fields.semantics ?? (fields.operation?.endsWith('wait') ? 'acquire' : 'release')) as Semantics,
        scope: (fields.scope ?? 'cta') as Scope,
        space: spaceOf(fields.space),
        clusterWide: isClusterWide(fields.space),
      };
    case 'bulk':
      return {
        op,
        guard,
        dst,
        src,
        text,
        line,
        source,
        kind: 'bulk',
        operation: fields.operation === 'prefetch' ? 'prefetch' : 'copy',
        targetSpace: fields.into === 'global' ? 'global' : 'shared',
        sourceSpace: fields.outOf === 'global' ? 'global' : 'shared',
        multicast: fields.multicast !== undefined,
        reduction: fields.reduction as BulkCopy['reduction'],
        type,
      };
    case 'tensor-copy':
      return {
        op,
        guard,
        dst,
        src,
        text,
        line,
        source,
        kind: 'tensor-copy',
        operation: fields.level !== undefined ? 'prefetch' : fields.into === 'global' ? 'store' : 'load',
        dimensions: Number.parseInt(fields.dimensions ?? '1', 10),
        multicast: fields.multicast !== undefined,
        reduction: fields.reduction as BulkCopy['reduction'],
      };
    case 'bulk-group':
      return {
        op,
        guard,
        dst,
        src,
        text,
        line,
        source,
        kind: 'bulk-group',
        operation: op.endsWith('commit_group') ? 'commit' : 'wait',
      };
    case 'async-store':
      return {
        op,
        guard,
        dst,
        src,
        text,
        line,
        source,
        kind: 'async-store',
        type,
        reduction: fields.reduction as BulkCopy['reduction'],
      };
    case 'cluster':
      return {
        guard,
        dst,
        src,
        text,
        line,
        source,
        kind: 'cluster',
        op: op as Cluster['op'],
        type,
        space: spaceOf(fields.space),
      };
    case 'texture':
      return decodeTexture(raw, fields, type, fail);
    case 'async':
      return {
        op,
        guard,
        dst,
        src,
        text,
        line,
        source,
        kind: 'async',
        operation: ASYNC_OPERATIONS[fields.operation ?? 'copy'] ?? 'copy',
        cache: fields.cache as 'ca' | 'cg' | undefined,
      };
    case 'matrix':
      return decodeMatrix(raw, fields, fail);
    case 'wgmma': {
      const [m = 0, n = 0, k = 0] = (fields.shape ?? '').match(/\d+/g)?.map(Number) ?? [];
      return {
        op,
        guard,
        dst,
        src,
        text,
        line,
        source,
        kind: 'wgmma',
        operation: WGMMA_OPERATIONS[fields.operation ?? ''] ?? 'mma',
        shape: [m, n, k],
        types: { d: typeOf(fields.d, 'f32'), a: typeOf(fields.a, 'f16'), b: typeOf(fields.b, 'f16') },
        saturate: fields.satfinite !== undefined,
      };
    }
    case 'system':
      return {
        op,
        guard,
        dst,
        src,
        text,
        line,
        source,
        kind: 'system',
        effect: op === 'nanosleep' ? 'nanosleep' : 'none',
        type,
      };
  }
}

const MBARRIER_OPERATIONS: Readonly<Record<string, Mbarrier['operation']>> = {
  init: 'init',
  inval: 'inval',
  arrive: 'arrive',
  arrive_drop: 'arrive-drop',
  expect_tx: 'expect-tx',
  complete_tx: 'complete-tx',
  test_wait: 'test-wait',
  try_wait: 'try-wait',
  pending_count: 'pending-count',
};

const WGMMA_OPERATIONS: Readonly<Record<string, Wgmma['operation']>> = {
  fence: 'fence',
  commit_group: 'commit',
  wait_group: 'wait',
  mma_async: 'mma',
};

function decodeTexture(raw: RawInstruction, fields: Fields, type: PtxType, fail: Fail): Texture {
  const { guard, dst, src, text, line, source } = raw;
  const op = raw.matched.op as Texture['op'];
  const address = src[0];
  if (address?.kind !== 'address') throw fail('the texture or surface is expected in brackets');
  if (address.base.kind !== 'register') {
    throw fail('texture references are not supported; pass a texture object to the kernel instead');
  }
  const asks = op === 'txq' || op === 'suq';
  if (!asks && address.coordinates?.kind !== 'vector') throw fail('coordinates are expected after the handle');
  return {
    guard,
    dst,
    src,
    text,
    line,
    source,
    kind: 'texture',
    op,
    geometry: (fields.geometry ?? '1d') as Texture['geometry'],
    vector: fields.vector === 'v4' ? 4 : fields.vector === 'v2' ? 2 : 1,
    type,
    coordinateType: fields.coordinateType === 'f32' ? 'f32' : 's32',
    outside: (fields.outside ?? 'trap') as Texture['outside'],
    component: Math.max(0, 'rgba'.indexOf(fields.component ?? 'r')),
    query: fields.query,
  };
}

const ASYNC_OPERATIONS: Readonly<Record<string, 'copy' | 'commit' | 'wait-group' | 'wait-all'>> = {
  copy: 'copy',
  commit_group: 'commit',
  wait_group: 'wait-group',
  wait_all: 'wait-all',
};

const FENCE_SCOPES: Readonly<Record<string, Scope>> = { cta: 'cta', gl: 'gpu', sys: 'sys' };

function decodeFence(op: string, fields: Fields): Pick<Fence, 'semantics' | 'scope'> {
  if (op === 'membar') return { semantics: 'sc', scope: FENCE_SCOPES[fields.level ?? ''] ?? 'sys' };
  return { semantics: (fields.semantics ?? 'acq_rel') as Semantics, scope: (fields.scope ?? 'sys') as Scope };
}

type Fail = (reason: string) => PtxError;

function decodeCompare(raw: RawInstruction, fields: Fields, type: PtxType, fail: Fail): Compare {
  const { guard, dst, src, text, line, source } = raw;
  const op = raw.matched.op as Compare['op'];
  const comparison = fields.comparison;
  if (comparison !== undefined) {
    const unsignedOnly = /^(lo|ls|hi|hs)$/.test(comparison);
    const floatOnly = /^(equ|neu|ltu|leu|gtu|geu|num|nan)$/.test(comparison);
    if ((floatOnly && !isFloat(type)) || (unsignedOnly && !type.startsWith('u'))) {
      throw fail(`the comparison ${comparison} does not apply to ${type}`);
    }
    if (type.startsWith('b') && !isFloat(type) && comparison !== 'eq' && comparison !== 'ne') {
      throw fail(`untyped bits (${type}) can only be compared with eq and ne`);
    }
    if ((fields.boolean !== undefined) !== (src.length === 3)) {
      throw fail('.and, .or and .xor go with a third source, a predicate');
    }
  }
  return {
    guard,
    dst,
    src,
    text,
    line,
    source,
    kind: 'compare',
    op,
    type,
    resultType: op === 'setp' ? 'pred' : typeOf(fields.resultType, type),
    comparison,
    boolean: fields.boolean as Compare['boolean'],
    ftz: fields.ftz !== undefined,
  };
}

function decodeConvert(raw: RawInstruction, fields: Fields, fail: Fail): Instruction {
  const { guard, dst, src, text, line, source } = raw;
  const { op } = raw.matched;
  const to = typeOf(fields.to, 'b32');
  const from = typeOf(fields.from, 'b32');
  const rounding = fields.rounding as Rounding | undefined;
  const integral = rounding?.endsWith('i') === true;
  if (isFloat(from) && !isFloat(to) && !integral) throw fail('float to integer needs .rni, .rzi, .rmi or .rpi');
  if (!isFloat(from) && isFloat(to) && (rounding === undefined || integral || rounding === 'rna')) {
    throw fail('integer to float needs .rn, .rz, .rm or .rp');
  }
  if (isFloat(from) && isFloat(to)) {
    const narrows =
      TYPE_BYTES[to] < TYPE_BYTES[from] ||
      to === 'tf32' ||
      (to !== from && TYPE_BYTES[to] === 2 && TYPE_BYTES[from] === 2);
    if (narrows && (rounding === undefined || integral)) throw fail('this conversion needs a rounding mode');
  }
  return {
    op,
    guard,
    dst,
    src,
    text,
    line,
    source,
    kind: 'convert',
    to,
    from,
    rounding,
    ftz: fields.ftz !== undefined,
    sat: fields.sat !== undefined,
    relu: fields.relu !== undefined,
  };
}

/** Shapes and types that the ISA defines for mma.sync and wmma (dense, up to 8 bits wide and more). */
const MMA_SHAPES: Readonly<Record<string, RegExp>> = {
  mma: /^(m16n8k(8|16):f16|m8n8k4:f16|m16n8k(8|16):bf16|m16n8k(4|8):tf32|m8n8k4:f64|m16n8k(4|8|16):f64|m8n8k16:[su]8|m16n8k(16|32):([su]8|e4m3|e5m2)|(m8n8k32|m16n8k(32|64)):[su]4|(m8n8k128|m16n8k(128|256)):b1)$/,
  wmma: /^((m16n16k16|m8n32k16|m32n8k16):(f16|bf16|[su]8)|m16n16k8:(tf32|f32)|m8n8k4:f64)$/,
};

function decodeMatrix(raw: RawInstruction, fields: Fields, fail: Fail): Matrix {
  const { guard, dst, src, text, line, source } = raw;
  const op = raw.matched.op as Matrix['op'];
  const numbers = (fields.shape ?? '').match(/\d+/g)?.map(Number) ?? [];
  const shape = [numbers[0] ?? 0, numbers[1] ?? 0, numbers[2] ?? 0] as const;
  const d = typeOf(fields.d, 'f16');
  const a = typeOf(fields.a, 'f16');
  const b = typeOf(fields.b, 'f16');
  const c = typeOf(fields.c, d);
  const multiplies = op === 'mma' || (op === 'wmma' && fields.operation === 'mma');
  if (multiplies && MMA_SHAPES[op]?.test(`${fields.shape}:${a}`) !== true) {
    throw fail(`${op} of shape ${fields.shape} on ${a} is not supported`);
  }
  if (op === 'mma' && shape[0] === 8 && a === 'f16') {
    throw fail('mma.m8n8k4 on f16 (a Volta-only form) is not supported');
  }
  const operation = multiplies
    ? 'mma'
    : op === 'wmma'
      ? (`${fields.operation}-${fields.matrix}` as Matrix['operation'])
      : (op as 'ldmatrix' | 'stmatrix');
  return {
    guard,
    dst,
    src,
    text,
    line,
    source,
    kind: 'matrix',
    op,
    operation,
    shape,
    layoutA: fields.layoutA as Matrix['layoutA'],
    layoutB: fields.layoutB as Matrix['layoutB'],
    layout: fields.layout as Matrix['layout'],
    types: { d, a, b, c },
    count: fields.count === 'x4' ? 4 : fields.count === 'x2' ? 2 : 1,
    transposed: fields.trans !== undefined,
    saturate: fields.satfinite !== undefined,
    space: op === 'ldmatrix' || op === 'stmatrix' ? 'shared' : spaceOf(fields.space),
    bitOperation: fields.bits as Matrix['bitOperation'],
  };
}
