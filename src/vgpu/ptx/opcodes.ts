/**
 * Every instruction form that is understood, as data: base opcode, modifiers in order, operands. What no row accepts is
 * a {@link PtxError} at load time, so nothing is ever skipped or guessed.
 *
 * A form's modifiers are slots separated by spaces. `name=a|b` must match one of the words; `name` alone stands for
 * `name=name`; a trailing `?` makes the slot optional, `*` lets it match any number of times. The matched words become
 * the decoded fields. Operands: `d` a destination, `d|p` one that may be a pair, other letters sources, `?` optional.
 */

export interface Slot {
  readonly field: string;
  readonly words: ReadonlySet<string>;
  readonly optional: boolean;
  readonly repeated: boolean;
}

export interface Form {
  readonly slots: readonly Slot[];
  readonly hasDestination: boolean;
  readonly pair: boolean;
  readonly minSources: number;
  readonly maxSources: number;
}

export type Fields = Readonly<Record<string, string | undefined>>;

export type InstructionKind =
  | 'arithmetic'
  | 'compare'
  | 'convert'
  | 'move'
  | 'memory'
  | 'atomic'
  | 'control'
  | 'barrier'
  | 'warp'
  | 'fence'
  | 'async'
  | 'mbarrier'
  | 'bulk'
  | 'bulk-group'
  | 'tensor-copy'
  | 'async-store'
  | 'cluster'
  | 'texture'
  | 'matrix'
  | 'wgmma'
  | 'system';

const INTEGERS = 'u16|u32|u64|s16|s32|s64';
const ROUND = 'rn|rz|rm|rp';
const BITS = 'b16|b32|b64';
const SCALARS = `b8|u8|s8|${BITS}|${INTEGERS}|f32|f64`;
const LOADABLE = `${SCALARS}|b128`;
const CARRY = 'u32|s32|u64|s64|b32|b64';
const SPACES = 'global|shared|shared::cta|shared::cluster|local|const|param|param::entry|param::func';
const SCOPES = 'cta|cluster|gpu|sys';
const HINTS =
  'hint=L1::evict_normal|L1::evict_unchanged|L1::evict_first|L1::evict_last|L1::no_allocate|L2::evict_normal|L2::evict_first|L2::evict_last|L2::cache_hint|L2::64B|L2::128B|L2::256B*';
const DIMENSIONS = 'dimensions=1d|2d|3d|4d|5d';
const CTA_SHARED = 'space=shared|shared::cta';
const GEOMETRY = 'geometry=1d|2d|3d|a1d|a2d|cube|acube';
const QUERIES = 'width|height|depth|normalized_coords|array_size|num_mipmap_levels';
const FLOAT_COMPARISONS = 'eq|ne|lt|le|gt|ge|equ|neu|ltu|leu|gtu|geu|num|nan';
const COMPARISONS = `comparison=${FLOAT_COMPARISONS}|lo|ls|hi|hs`;
const COMPARED = `${BITS}|${INTEGERS}|f32|f64|f16|f16x2|bf16|bf16x2`;

const FLOAT_BINARY = [
  `rounding=${ROUND}? ftz? sat? type=f32 : d a b`,
  `rounding=${ROUND}? type=f64 : d a b`,
  'rounding=rn? ftz? sat? type=f16|f16x2 : d a b',
  'rounding=rn? type=bf16|bf16x2 : d a b',
  `rounding=${ROUND}? ftz? type=f32x2 : d a b`,
];
const FLOAT_TERNARY = [
  `rounding=${ROUND} ftz? sat? type=f32 : d a b c`,
  `rounding=${ROUND} type=f64 : d a b c`,
  'rounding=rn ftz? sat? relu? type=f16|f16x2 : d a b c',
  'rounding=rn relu? type=bf16|bf16x2 : d a b c',
  `rounding=${ROUND} ftz? type=f32x2 : d a b c`,
];
const ROOT = [
  'approx ftz? type=f32 : d a',
  `rounding=${ROUND} ftz? type=f32 : d a`,
  `rounding=${ROUND} type=f64 : d a`,
];
const SIGN = [
  'type=s16|s32|s64 : d a',
  'ftz? type=f32 : d a',
  'type=f64 : d a',
  'ftz? type=f16|f16x2 : d a',
  'type=bf16|bf16x2 : d a',
];
const EXTREMUM = [
  `type=${INTEGERS}|u16x2 : d a b`,
  'relu? type=s16x2|s32 : d a b',
  'ftz? nan=NaN? xorsign? abs? type=f32 : d a b',
  'type=f64 : d a b',
  'ftz? nan=NaN? xorsign? abs? type=f16|f16x2|bf16|bf16x2 : d a b',
];
const APPROXIMATION = ['approx ftz? type=f32 : d a'];
const LOGIC = [`type=pred|${BITS} : d a b`];
const CVT_INTEGER = `u8|s8|${INTEGERS}`;
const CVT_FLOAT = 'f16|bf16|f32|f64';
const ANY_ROUND = `rounding=${ROUND}|rna|rni|rzi|rmi|rpi`;

const LD_TAIL = `cache=ca|cg|cs|lu|cv? nc? cache2=ca|cg|cs? ${HINTS}`;
const LD_VECTOR = `vector=v2|v4|v8? type=${LOADABLE}`;
const ST_TAIL = `cache=wb|cg|cs|wt? ${HINTS}`;
const MATRIX_TYPES = 'f16|bf16|tf32|f32|f64|s8|u8|s32';
const SHAPES =
  'm16n16k16|m8n32k16|m32n8k16|m16n16k8|m8n8k4|m8n8k16|m8n8k32|m16n8k4|m16n8k8|m16n8k16|m16n8k32|m16n8k64|m16n8k128|m16n8k256|m8n8k128';

/** The shapes of wgmma with this k: n is a multiple of 8 up to 256, or of 16 from 32 on for integers. */
function warpgroupShapes(k: number, integers: boolean): string {
  return Array.from({ length: 32 }, (_, index) => 8 * (index + 1))
    .filter((n) => !integers || n <= 32 || n % 16 === 0)
    .map((n) => `m64n${n}k${k}`)
    .join('|');
}

function atomic(withDestination: boolean): string[] {
  const head = `semantics=relaxed|acquire|release|acq_rel? scope=${SCOPES}? space=global|shared|shared::cta|shared::cluster?`;
  const one = withDestination ? 'd a b policy?' : 'a b policy?';
  const rows = [
    `${head} operation=and|or|xor ${HINTS} type=b32|b64 : ${one}`,
    `${head} operation=add ${HINTS} type=u32|s32|u64|f32|f64 : ${one}`,
    `${head} operation=add noftz ${HINTS} type=f16|f16x2|bf16|bf16x2 : ${one}`,
    `${head} operation=add ${HINTS} vector=v2|v4 type=f32 : ${one}`,
    `${head} operation=add noftz ${HINTS} vector=v2|v4|v8 type=f16|bf16|f16x2|bf16x2 : ${one}`,
    `${head} operation=inc|dec ${HINTS} type=u32 : ${one}`,
    `${head} operation=min|max ${HINTS} type=u32|s32|u64|s64 : ${one}`,
    `${head} operation=min|max noftz ${HINTS} type=f16|f16x2|bf16|bf16x2 : ${one}`,
  ];
  if (withDestination) {
    rows.push(
      `${head} operation=exch ${HINTS} type=b32|b64|b128 : d a b policy?`,
      `${head} operation=cas ${HINTS} type=b16|b32|b64|b128 : d a b c policy?`,
    );
  }
  return rows;
}

/** Base opcode -> kind and accepted forms. */
const TABLE: Readonly<Record<string, readonly [InstructionKind, readonly string[]]>> = {
  add: [
    'arithmetic',
    [`type=${INTEGERS}|u16x2|s16x2 : d a b`, `cc type=${CARRY} : d a b`, 'sat type=s32 : d a b', ...FLOAT_BINARY],
  ],
  sub: [
    'arithmetic',
    [`type=${INTEGERS} : d a b`, `cc type=${CARRY} : d a b`, 'sat type=s32 : d a b', ...FLOAT_BINARY],
  ],
  addc: ['arithmetic', [`cc? type=${CARRY} : d a b`]],
  subc: ['arithmetic', [`cc? type=${CARRY} : d a b`]],
  mul: [
    'arithmetic',
    [`half=lo|hi type=${INTEGERS} : d a b`, 'half=wide type=u16|s16|u32|s32 : d a b', ...FLOAT_BINARY],
  ],
  mad: [
    'arithmetic',
    [
      `half=lo|hi type=${INTEGERS} : d a b c`,
      'half=wide type=u16|s16|u32|s32 : d a b c',
      'half=hi sat type=s32 : d a b c',
      `half=lo|hi cc type=${CARRY} : d a b c`,
      ...FLOAT_TERNARY,
    ],
  ],
  madc: ['arithmetic', [`half=lo|hi cc? type=${CARRY} : d a b c`]],
  mul24: ['arithmetic', ['half=lo|hi type=u32|s32 : d a b']],
  mad24: ['arithmetic', ['half=lo|hi type=u32|s32 : d a b c']],
  fma: ['arithmetic', FLOAT_TERNARY],
  div: [
    'arithmetic',
    [
      `type=${INTEGERS} : d a b`,
      'approx ftz? type=f32 : d a b',
      'full ftz? type=f32 : d a b',
      `rounding=${ROUND} ftz? type=f32 : d a b`,
      `rounding=${ROUND} type=f64 : d a b`,
    ],
  ],
  rem: ['arithmetic', [`type=${INTEGERS} : d a b`]],
  sad: ['arithmetic', [`type=${INTEGERS} : d a b c`]],
  abs: ['arithmetic', SIGN],
  neg: ['arithmetic', SIGN],
  min: ['arithmetic', EXTREMUM],
  max: ['arithmetic', EXTREMUM],
  copysign: ['arithmetic', ['type=f32|f64 : d a b']],
  sqrt: ['arithmetic', ROOT],
  rcp: ['arithmetic', [...ROOT, 'approx ftz type=f64 : d a']],
  rsqrt: ['arithmetic', ['approx ftz? type=f32 : d a', 'approx ftz? type=f64 : d a']],
  ex2: ['arithmetic', [...APPROXIMATION, 'approx type=f16|f16x2 : d a', 'approx ftz type=bf16|bf16x2 : d a']],
  lg2: ['arithmetic', APPROXIMATION],
  sin: ['arithmetic', APPROXIMATION],
  cos: ['arithmetic', APPROXIMATION],
  tanh: ['arithmetic', ['approx type=f32|f16|f16x2|bf16|bf16x2 : d a']],
  testp: ['arithmetic', ['variant=finite|infinite|number|notanumber|normal|subnormal type=f32|f64 : d a']],
  popc: ['arithmetic', ['type=b32|b64 : d a']],
  clz: ['arithmetic', ['type=b32|b64 : d a']],
  brev: ['arithmetic', ['type=b32|b64 : d a']],
  bfind: ['arithmetic', ['variant=shiftamt? type=u32|u64|s32|s64 : d a']],
  bfe: ['arithmetic', ['type=u32|u64|s32|s64 : d a b c']],
  bfi: ['arithmetic', ['type=b32|b64 : d a b c e']],
  bmsk: ['arithmetic', ['variant=clamp|wrap type=b32 : d a b']],
  szext: ['arithmetic', ['variant=clamp|wrap type=u32|s32 : d a b']],
  fns: ['arithmetic', ['type=b32 : d a b c']],
  and: ['arithmetic', LOGIC],
  or: ['arithmetic', LOGIC],
  xor: ['arithmetic', LOGIC],
  not: ['arithmetic', [`type=pred|${BITS} : d a`]],
  cnot: ['arithmetic', [`type=${BITS} : d a`]],
  lop3: ['arithmetic', ['type=b32 : d a b c e']],
  shl: ['arithmetic', [`type=${BITS} : d a b`]],
  shr: ['arithmetic', [`type=${BITS}|${INTEGERS} : d a b`]],
  shf: ['arithmetic', ['direction=l|r variant=clamp|wrap type=b32 : d a b c']],
  prmt: ['arithmetic', ['type=b32 variant=f4e|b4e|rc8|ecl|ecr|rc16? : d a b c']],
  dp4a: ['arithmetic', ['type=u32|s32 secondType=u32|s32 : d a b c']],
  dp2a: ['arithmetic', ['half=lo|hi type=u32|s32 secondType=u32|s32 : d a b c']],

  // With .add: the sum of the four differences of bytes, and c.
  vabsdiff4: ['arithmetic', ['resultType=u32|s32 type=u32|s32 secondType=u32|s32 variant=add : d a b c']],

  setp: ['compare', [`${COMPARISONS} boolean=and|or|xor? ftz? type=${COMPARED} : d|p a b c?`]],
  set: [
    'compare',
    [
      `${COMPARISONS} boolean=and|or|xor? ftz? resultType=u32|s32|f32|u16|s16|f16|f16x2|bf16|bf16x2 type=${COMPARED} : d a b c?`,
    ],
  ],
  selp: ['compare', [`type=${BITS}|${INTEGERS}|f32|f64|f16|f16x2|bf16|bf16x2 : d a b c`]],
  slct: ['compare', [`ftz? resultType=${BITS}|${INTEGERS}|f32|f64 type=s32|f32 : d a b c`]],

  cvt: [
    'convert',
    [
      `sat? to=${CVT_INTEGER} from=${CVT_INTEGER} : d a`,
      `${ANY_ROUND}? ftz? sat? to=${CVT_INTEGER}|${CVT_FLOAT} from=${CVT_INTEGER}|${CVT_FLOAT} : d a`,
      'rounding=rn|rz relu? to=f16|bf16|tf32 from=f32 : d a',
      'rounding=rn|rz relu? to=f16x2|bf16x2 from=f32 : d a b',
      'rounding=rna to=tf32 from=f32 : d a',
      'rounding=rn satfinite relu? to=e4m3x2|e5m2x2 from=f32 : d a b',
      'rounding=rn satfinite relu? to=e4m3x2|e5m2x2 from=f16x2 : d a',
      'rounding=rn relu? to=f16x2 from=e4m3x2|e5m2x2 : d a',
    ],
  ],

  mov: ['move', [`type=pred|${BITS}|b128|${INTEGERS}|f16|f16x2|bf16|f32|f64 : d a`]],
  cvta: [
    'move',
    [
      'to space=global|shared|shared::cta|shared::cluster|local|const|param type=u32|u64 : d a',
      'space=global|shared|shared::cta|shared::cluster|local|const|param type=u32|u64 : d a',
    ],
  ],
  isspacep: ['move', ['space=global|shared|shared::cta|shared::cluster|local|const|param : d a']],

  ld: [
    'memory',
    [
      `semantics=weak|volatile? space=${SPACES}? ${LD_TAIL} ${LD_VECTOR} : d a policy?`,
      `semantics=relaxed|acquire|mmio scope=${SCOPES} space=global|shared|shared::cta|shared::cluster? ${LD_TAIL} ${LD_VECTOR} : d a policy?`,
    ],
  ],
  ldu: ['memory', [`space=global? ${LD_VECTOR} : d a`]],
  st: [
    'memory',
    [
      `semantics=weak|volatile? space=global|shared|shared::cta|shared::cluster|local|param|param::func? ${ST_TAIL} ${LD_VECTOR} : a b policy?`,
      `semantics=relaxed|release|mmio scope=${SCOPES} space=global|shared|shared::cta|shared::cluster? ${ST_TAIL} ${LD_VECTOR} : a b policy?`,
    ],
  ],
  atom: ['atomic', atomic(true)],
  red: ['atomic', atomic(false)],

  bra: ['control', ['uni? : a']],
  brx: ['control', ['idx uni? : a b']],
  call: ['control', ['uni? :']],
  ret: ['control', ['uni? :']],
  exit: ['control', [' :']],
  trap: ['control', [' :']],
  brkpt: ['control', [' :']],

  bar: [
    'barrier',
    [
      'cta? operation=sync : a b?',
      'cta? operation=arrive : a b',
      'cta? operation=red reduction=popc type=u32 : d a b c?',
      'cta? operation=red reduction=and|or type=pred : d a b c?',
    ],
  ],
  barrier: [
    'barrier',
    [
      'cta? operation=sync aligned? : a b?',
      'cta? operation=arrive aligned? : a b',
      'cta? operation=red reduction=popc aligned? type=u32 : d a b c?',
      'cta? operation=red reduction=and|or aligned? type=pred : d a b c?',
      'cluster operation=arrive semantics=release|relaxed? aligned? :',
      'cluster operation=wait semantics=acquire? aligned? :',
    ],
  ],
  warpsync: ['warp', [' : a']],
  shfl: ['warp', ['sync mode=up|down|bfly|idx type=b32 : d|p a b c m']],
  vote: ['warp', ['sync mode=all|any|uni type=pred : d a m', 'sync mode=ballot type=b32 : d a m']],
  match: ['warp', ['mode=any sync type=b32|b64 : d a m', 'mode=all sync type=b32|b64 : d|p a m']],
  redux: ['warp', ['sync mode=add|min|max type=u32|s32 : d a m', 'sync mode=and|or|xor type=b32 : d a m']],
  activemask: ['warp', ['type=b32 : d']],
  elect: ['warp', ['sync : d|p m']],

  membar: ['fence', ['level=cta|gl|sys :']],
  fence: [
    'fence',
    [
      `semantics=sc|acq_rel|acquire|release? scope=${SCOPES} :`,
      'proxy kind=async space=global|shared::cta|shared::cluster? :',
      'proxy kind=alias :',
      'kind=mbarrier_init semantics=release scope=cluster :',
    ],
  ],

  mbarrier: [
    'mbarrier',
    [
      `operation=init ${CTA_SHARED}? type=b64 : a b`,
      `operation=inval ${CTA_SHARED}? type=b64 : a`,
      `operation=arrive|arrive_drop semantics=release|relaxed? scope=cta|cluster? ${CTA_SHARED}|shared::cluster? type=b64 : d a b?`,
      `operation=arrive|arrive_drop expect_tx semantics=release|relaxed? scope=cta|cluster? ${CTA_SHARED}|shared::cluster? type=b64 : d a b`,
      `operation=arrive|arrive_drop variant=noComplete semantics=release? scope=cta|cluster? ${CTA_SHARED}? type=b64 : d a b`,
      `operation=expect_tx|complete_tx semantics=relaxed? scope=cta|cluster? ${CTA_SHARED}|shared::cluster? type=b64 : a b`,
      `operation=test_wait|try_wait parity? semantics=acquire|relaxed? scope=cta|cluster? ${CTA_SHARED}? type=b64 : d a b c?`,
      'operation=pending_count type=b64 : d a',
    ],
  ],
  'cp.async.mbarrier': ['mbarrier', [`operation=arrive variant=noinc? ${CTA_SHARED}? type=b64 : a`]],
  'cp.async.bulk': [
    'bulk',
    [
      `into=shared::cluster|shared::cta outOf=global|shared::cta completion=mbarrier::complete_tx::bytes ${HINTS} : a b n m policy?`,
      `into=shared::cluster outOf=global completion=mbarrier::complete_tx::bytes multicast=multicast::cluster ${HINTS} : a b n m k policy?`,
      `into=global outOf=shared::cta completion=bulk_group ${HINTS} : a b n policy?`,
      `operation=prefetch level=L2 outOf=global ${HINTS} : a n policy?`,
    ],
  ],
  'cp.reduce.async.bulk': [
    'bulk',
    [
      'into=shared::cluster outOf=shared::cta completion=mbarrier::complete_tx::bytes reduction=and|or|xor|add|inc|dec|min|max type=b32|u32|s32|u64 : a b n m',
      `into=global outOf=shared::cta completion=bulk_group ${HINTS} reduction=and|or|xor|add|inc|dec|min|max noftz? type=f16|bf16|b32|u32|s32|b64|u64|s64|f32|f64 : a b n policy?`,
    ],
  ],
  'cp.async.bulk.tensor': [
    'tensor-copy',
    [
      `${DIMENSIONS} into=shared::cluster|shared::cta outOf=global tile? completion=mbarrier::complete_tx::bytes ${HINTS} : a b m policy?`,
      `${DIMENSIONS} into=shared::cluster outOf=global tile? completion=mbarrier::complete_tx::bytes multicast=multicast::cluster ${HINTS} : a b m k policy?`,
      `${DIMENSIONS} into=global outOf=shared::cta tile? completion=bulk_group ${HINTS} : a b policy?`,
    ],
  ],
  'cp.reduce.async.bulk.tensor': [
    'tensor-copy',
    [
      `${DIMENSIONS} into=global outOf=shared::cta reduction=and|or|xor|add|inc|dec|min|max tile? completion=bulk_group ${HINTS} : a b policy?`,
    ],
  ],
  'cp.async.bulk.prefetch.tensor': ['tensor-copy', [`${DIMENSIONS} level=L2 outOf=global tile? ${HINTS} : a policy?`]],
  'cp.async.bulk.commit_group': ['bulk-group', [' :']],
  'cp.async.bulk.wait_group': ['bulk-group', ['read? : n']],
  'st.async': [
    'async-store',
    [
      'semantics=weak? space=shared::cluster? completion=mbarrier::complete_tx::bytes vector=v2|v4? type=b32|b64|u32|u64|s32|s64|f32|f64 : a b m',
    ],
  ],
  'red.async': [
    'async-store',
    [
      'semantics=relaxed scope=cluster space=shared::cluster? completion=mbarrier::complete_tx::bytes reduction=and|or|xor|add|inc|dec|min|max type=b32|u32|s32|u64 : a b m',
    ],
  ],
  mapa: ['cluster', ['space=shared::cluster? type=u32|u64 : d a b']],
  getctarank: ['cluster', ['space=shared::cluster? type=u32|u64 : d a']],

  tex: [
    'texture',
    [
      `lod=base|level? ${GEOMETRY} vector=v4 type=u32|s32|f32 coordinateType=s32|f32 : d|p a l?`,
      `lod=grad ${GEOMETRY} vector=v4 type=u32|s32|f32 coordinateType=f32 : d|p a x y`,
    ],
  ],
  tld4: ['texture', ['component=r|g|b|a geometry=2d|a2d vector=v4 type=u32|s32|f32 coordinateType=f32 : d|p a']],
  txq: ['texture', [`query=${QUERIES} type=b32 : d a`]],
  suq: ['texture', [`query=${QUERIES} type=b32 : d a`]],
  suld: [
    'texture',
    ['b geometry=1d|2d|3d|a1d|a2d cache=ca|cg|cs|cv? vector=v2|v4? type=b8|b16|b32|b64 outside=trap|clamp|zero : d a'],
  ],
  sust: [
    'texture',
    ['b geometry=1d|2d|3d|a1d|a2d cache=wb|cg|cs|wt? vector=v2|v4? type=b8|b16|b32|b64 outside=trap|clamp|zero : a b'],
  ],

  'cp.async': [
    'async',
    [
      `cache=ca|cg into=shared|shared::cta outOf=global ${HINTS} : a b n s? policy?`,
      'operation=commit_group :',
      'operation=wait_group : n',
      'operation=wait_all :',
    ],
  ],

  wmma: [
    'matrix',
    [
      `operation=load matrix=a|b|c sync aligned layout=row|col shape=${SHAPES} space=global|shared|shared::cta? d=${MATRIX_TYPES} : d a s?`,
      `operation=store matrix=d sync aligned layout=row|col shape=${SHAPES} space=global|shared|shared::cta? d=${MATRIX_TYPES} : a b s?`,
      `operation=mma sync aligned layoutA=row|col layoutB=row|col shape=${SHAPES} d=f16|f32 c=f16|f32 satfinite? : d a b c`,
      `operation=mma sync aligned layoutA=row|col layoutB=row|col shape=${SHAPES} rounding=rn? d=s32|f32|f64 a=s8|u8|bf16|tf32|f64 b=s8|u8|bf16|tf32|f64 c=s32|f32|f64 rounding2=rn? satfinite? : d a b c`,
    ],
  ],
  mma: [
    'matrix',
    [
      `sync aligned shape=${SHAPES} layoutA=row|col layoutB=row|col satfinite? d=f16|f32|f64|s32 a=${MATRIX_TYPES} b=${MATRIX_TYPES} c=f16|f32|f64|s32 : d a b c`,
      `sync aligned shape=${SHAPES} layoutA=row layoutB=col d=f16|f32 a=e4m3|e5m2 b=e4m3|e5m2 c=f16|f32 : d a b c`,
      `sync aligned shape=${SHAPES} layoutA=row layoutB=col satfinite? d=s32 a=s4|u4 b=s4|u4 c=s32 : d a b c`,
      `sync aligned shape=${SHAPES} layoutA=row layoutB=col d=s32 a=b1 b=b1 c=s32 bits=xor|and popc : d a b c`,
    ],
  ],
  ldmatrix: ['matrix', ['sync aligned shape=m8n8 count=x1|x2|x4 trans? space=shared|shared::cta? d=b16 : d a']],
  stmatrix: ['matrix', ['sync aligned shape=m8n8 count=x1|x2|x4 trans? space=shared|shared::cta? d=b16 : a b']],

  // After scale-d: the signs of A and B, and for 16-bit elements which of those in shared memory are transposed.
  wgmma: [
    'wgmma',
    [
      'operation=fence sync aligned :',
      'operation=commit_group sync aligned :',
      'operation=wait_group sync aligned : n',
      `operation=mma_async sync aligned shape=${warpgroupShapes(16, false)} d=f16|f32 a=f16 b=f16 : d a b s x y t u?`,
      `operation=mma_async sync aligned shape=${warpgroupShapes(16, false)} d=f32 a=bf16 b=bf16 : d a b s x y t u?`,
      `operation=mma_async sync aligned shape=${warpgroupShapes(8, false)} d=f32 a=tf32 b=tf32 : d a b s x y`,
      `operation=mma_async sync aligned shape=${warpgroupShapes(32, false)} d=f16|f32 a=e4m3|e5m2 b=e4m3|e5m2 : d a b s x y`,
      `operation=mma_async sync aligned shape=${warpgroupShapes(32, true)} d=s32 a=s8|u8 b=s8|u8 satfinite? : d a b s`,
    ],
  ],

  nanosleep: ['system', ['type=u32 : a']],
  prefetch: [
    'system',
    ['space=const|param? tensormap : a', 'space=global|local? level=L1|L2|L2::evict_last|L2::evict_normal : a'],
  ],
  prefetchu: ['system', ['level=L1 : a']],
  pmevent: ['system', ['mask? : a']],
  setmaxnreg: ['system', ['action=inc|dec sync aligned type=u32 : a']],
  griddepcontrol: ['system', ['action=launch_dependents|wait :']],
  discard: ['system', ['space=global? level=L2 : a n']],
  applypriority: ['system', ['space=global? level=L2::evict_normal : a n']],
};

function parseForm(row: string): Form {
  const [modifiers = '', operands = ''] = row.split(' :');
  const slots = modifiers
    .split(' ')
    .filter((slot) => slot !== '')
    .map((slot): Slot => {
      const suffix = slot.at(-1);
      const body = suffix === '?' || suffix === '*' ? slot.slice(0, -1) : slot;
      const equals = body.indexOf('=');
      const field = equals < 0 ? body : body.slice(0, equals);
      const words = new Set((equals < 0 ? body : body.slice(equals + 1)).split('|'));
      return { field, words, optional: suffix === '?' || suffix === '*', repeated: suffix === '*' };
    });
  const names = operands.split(' ').filter((name) => name !== '');
  const hasDestination = names[0]?.startsWith('d') === true;
  const sources = hasDestination ? names.slice(1) : names;
  return {
    slots,
    hasDestination,
    pair: names[0] === 'd|p',
    minSources: sources.filter((name) => !name.endsWith('?')).length,
    maxSources: sources.length,
  };
}

interface Entry {
  readonly kind: InstructionKind;
  readonly forms: readonly Form[];
}

const ENTRIES: ReadonlyMap<string, Entry> = new Map(
  Object.entries(TABLE).map(([op, [kind, rows]]) => [op, { kind, forms: rows.map(parseForm) }]),
);

function matchSlots(slots: readonly Slot[], at: number, words: readonly string[], from: number): Fields | undefined {
  if (at === slots.length) return from === words.length ? {} : undefined;
  const slot = slots[at]!;
  const word = words[from];
  if (word !== undefined && slot.words.has(word)) {
    const rest = matchSlots(slots, slot.repeated ? at : at + 1, words, from + 1);
    if (rest !== undefined) return { ...rest, [slot.field]: word };
  }
  return slot.optional ? matchSlots(slots, at + 1, words, from) : undefined;
}

export interface Matched {
  readonly op: string;
  readonly kind: InstructionKind;
  readonly form: Form;
  readonly fields: Fields;
}

/** By opcode: whether there is any form of it. */
const knownOpcodes = new Map<string, boolean>();

/** Is there any form of this opcode? */
export function isKnownOpcode(text: string): boolean {
  let answer = knownOpcodes.get(text);
  if (answer === undefined) {
    answer = ENTRIES.has(splitOpcode(text)[0]);
    knownOpcodes.set(text, answer);
  }
  return answer;
}

/** Instructions that are named by more than their first word, longest first. */
const LONG_NAMES: readonly string[] = Object.keys(TABLE)
  .filter((op) => op.includes('.'))
  .sort((a, b) => b.length - a.length);

/** An instruction's name in the table, and the rest. */
function splitOpcode(text: string): [op: string, modifiers: string[]] {
  if (text === 'bar.warp.sync') return ['warpsync', []];
  const long = LONG_NAMES.find((name) => text === name || text.startsWith(`${name}.`));
  if (long !== undefined) return [long, text === long ? [] : text.slice(long.length + 1).split('.')];
  const words = text.split('.');
  return [words[0]!, words.slice(1)];
}

const cache = new Map<string, Matched | string>();

/** The form that accepts an opcode with this many operands, or the reason why there is none. */
export function matchOpcode(text: string, operands: number): Matched | string {
  const key = `${text}/${operands}`;
  const known = cache.get(key);
  if (known !== undefined) return known;
  const result = findForm(text, operands);
  cache.set(key, result);
  return result;
}

/** Assemblers take an access's semantics, scope and space in any order (`atom.add.release.gpu.u32`); the table has one. */
const LEADING = ['weak|volatile|relaxed|acquire|release|acq_rel|mmio', 'sync', SCOPES, SPACES].map(
  (words) => new Set(words.split('|')),
);

function inTableOrder(modifiers: readonly string[]): string[] {
  const rank = (word: string): number => {
    const found = LEADING.findIndex((words) => words.has(word));
    return found < 0 ? LEADING.length : found;
  };
  return modifiers
    .map((word) => ({ word, rank: rank(word) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ word }) => word);
}

function findForm(text: string, operands: number): Matched | string {
  const [op, modifiers] = splitOpcode(text);
  const found = matchForms(text, op, modifiers, operands);
  if (typeof found !== 'string' || !['atom', 'red', 'ld', 'st', 'vote'].includes(op)) return found;
  const reordered = matchForms(text, op, inTableOrder(modifiers), operands);
  return typeof reordered === 'string' ? found : reordered;
}

function matchForms(text: string, op: string, modifiers: readonly string[], operands: number): Matched | string {
  const entry = ENTRIES.get(op);
  if (entry === undefined) return `the instruction ${op} is not supported`;
  let modifiersFit = false;
  for (const form of entry.forms) {
    const fields = matchSlots(form.slots, 0, modifiers, 0);
    if (fields === undefined) continue;
    modifiersFit = true;
    const sources = operands - (form.hasDestination ? 1 : 0);
    if (op === 'call' || (sources >= form.minSources && sources <= form.maxSources)) {
      return { op, kind: entry.kind, form, fields };
    }
  }
  return modifiersFit
    ? `${text} does not take ${operands} operand${operands === 1 ? '' : 's'}`
    : `this form of ${op} is not supported: ${text}`;
}
