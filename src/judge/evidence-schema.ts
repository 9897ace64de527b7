/**
 * The schema of evidence, version 2: everything that is needed to doubt a verdict, and to redo it. One JSON object a judgement.
 * Infinities and NaN are spelled 'inf', '-inf', 'nan'. Nothing names the machine (no host name, no path, no user), but for
 * the GPU's own id where times were taken on one.
 *
 * A reader refuses a version it does not know. A change that a reader of a version would misread makes the next one. Version 2 added times (`timing`) and the stage
 * of that name, which a reader of version 1 would take for damage, or for evidence that says nothing of speed. Version 1 is read as it was: it is version 2 without times.
 */
import { z } from 'zod';
import { timedSchema } from './timing-evidence.ts';

export const EVIDENCE_SCHEMA = 'assay.evidence/2';
/** Versions that can be read. */
export const READABLE_SCHEMAS = ['assay.evidence/1', EVIDENCE_SCHEMA] as const;

/** A number as JSON can hold it. */
const number = z.union([z.number(), z.enum(['nan', 'inf', '-inf'])]);
const dim3 = z.tuple([z.number(), z.number(), z.number()]);
const spec = z.object({ shape: z.array(z.number().int()), dtype: z.string() });

/** Keyword arguments of a task that has several configurations. */
const settings = z.record(z.string(), z.union([z.number(), z.string(), z.boolean(), z.null(), z.array(z.number())]));

const worst = z.object({
  index: z.number().int(),
  coordinates: z.array(z.number().int()),
  got: number,
  expected: number,
  /** Largest accepted |got - expected|. */
  bound: number,
  /** |got - expected| / bound. */
  ratio: number,
});

const picture = z.object({
  title: z.string(),
  rows: z.number(),
  columns: z.number(),
  cellRows: z.number(),
  cellColumns: z.number(),
  fractions: z.array(z.number()),
});

const finding = z.object({
  kind: z.string(),
  message: z.string(),
  kernel: z.string(),
  block: dim3.optional(),
  thread: dim3.optional(),
  space: z.string().optional(),
  access: z.string().optional(),
  bytes: z.number().optional(),
  address: z.string().optional(),
  allocation: z.object({ name: z.string(), bytes: z.number(), offset: z.number() }).optional(),
  /** Line of the candidate. */
  source: z.object({ line: z.number().int() }).optional(),
  ptxLine: z.number().int(),
  instruction: z.string(),
  count: z.number().int(),
});

const modelled = z.object({
  kind: z.literal('modelled'),
  gpu: z.string(),
  microseconds: z.number(),
  low: z.number(),
  high: z.number(),
  limitedBy: z.string(),
  /** What each resource of the longest launch would take by itself, longest first. */
  resources: z.array(z.object({ name: z.string(), microseconds: z.number() })).optional(),
  occupancy: z.number(),
  /** What the model had to assume, in words. */
  unknown: z.string().optional(),
});

const measured = z.object({
  kind: z.literal('measured'),
  device: z.string(),
  samples: z.array(z.number()),
  medianMicroseconds: z.number(),
});

/** The least time any kernel could take. */
const floor = z.object({
  gpu: z.string(),
  microseconds: z.number(),
  limitedBy: z.string(),
  bytes: z.number(),
  operations: z.number(),
});

export const evidenceSchema = z.object({
  schema: z.enum(READABLE_SCHEMAS),
  /** ISO 8601, UTC. */
  madeAt: z.string(),
  verdict: z.object({
    outcome: z.enum(['rejected', 'correct', 'unjudgeable']),
    check: z.string().optional(),
    reason: z.string(),
    details: z.record(z.string(), z.json()).optional(),
    picture: picture.optional(),
  }),
  task: z.object({
    name: z.string(),
    source: z.string(),
    hash: z.string(),
    precision: z.string(),
    tensors: z.array(z.object({ name: z.string(), role: z.string(), spec })),
    outputs: z.array(spec),
    operators: z.array(z.string()),
    scaled: z.array(z.object({ name: z.string(), from: z.number(), to: z.number() })),
    /** What `scaled` was the answer to: elements and operations. */
    scale: z.number().optional(),
    /** `eval`: `model.eval()` was called on the model; absent: it was judged as its file leaves it. */
    mode: z.literal('eval').optional(),
    entry: z.enum(['forward', 'backward']).optional(),
    configuration: z.object({ init: settings, input: settings }).optional(),
  }),
  candidate: z.object({
    source: z.string(),
    hash: z.string(),
    /** What of the source has no effect, or failed and was passed over. */
    remarks: z.array(z.object({ text: z.string(), line: z.number().int() })).optional(),
  }),
  /** Everything random follows from the secret (see seeds.ts), which was drawn after the sources were frozen. */
  seeds: z.object({ secret: z.string(), origin: z.string(), frozen: z.array(z.string()) }).optional(),
  calls: z.array(
    z.object({
      family: z.string(),
      inputsOf: z.number().int(),
      inputSeed: z.string(),
      /** Seed of the inputs that this call's are, but for a part drawn from `inputSeed`. */
      baseSeed: z.string().optional(),
      /** The part is half of the elements, the one or the other, as this seed divides them; absent: two elements. */
      halves: z.object({ seed: z.string(), half: z.union([z.literal(0), z.literal(1)]) }).optional(),
      poisonSeed: z.number().int(),
      resetGlobals: z.boolean(),
      freshMemory: z.boolean(),
      callsSkipped: z.number().optional(),
      purpose: z.string(),
    }),
  ),
  checks: z.array(
    z.object({
      check: z.string(),
      question: z.string(),
      catches: z.array(z.string()),
      stage: z.enum(['prepare', 'plan', 'first-call', 'sequence', 'timing']),
      /** Kind of device it was asked on; absent in evidence of before there was a choice: the virtual one. */
      device: z.enum(['virtual', 'cuda']).optional(),
      status: z.enum(['passed', 'rejected', 'not-asked', 'unjudgeable']),
      /** Reason, or remark of a pass. */
      said: z.string().optional(),
      milliseconds: z.number(),
    }),
  ),
  tolerance: z.object({
    formula: z.string(),
    /** The arithmetics whose spread the tolerance is derived from. */
    arithmetics: z.array(z.string()),
    /** Upper edges of the bins of `histogram`: error over bound. */
    edges: z.array(number),
    outputs: z.array(
      z.object({
        call: z.number().int(),
        family: z.string(),
        output: z.number().int(),
        elements: z.number().int(),
        wrong: z.number().int(),
        worst: worst.optional(),
        rms: number,
        rmsLimit: number,
        histogram: z.array(z.number()),
      }),
    ),
  }),
  findings: z.array(finding),
  plan: z
    .object({
      buffers: z.array(z.object({ name: z.string(), kind: z.string(), bytes: z.number() })),
      launches: z.array(
        z.object({
          kernel: z.string(),
          grid: dim3,
          block: dim3,
          dynamicSharedBytes: z.number(),
          line: z.number().int(),
        }),
      ),
      fills: z.number().int(),
      copies: z.number().int(),
      /** PyTorch's own operators of a submission in Python, evaluated by the judge: none of its kernels. Shares are of the task's own counts. */
      operators: z
        .object({
          operators: z.array(
            z.object({ op: z.string(), line: z.number().int(), operations: z.number(), bytes: z.number() }),
          ),
          operations: z.number(),
          bytes: z.number(),
        })
        .optional(),
    })
    .optional(),
  build: z
    .object({
      hash: z.string(),
      compiler: z.string(),
      arch: z.string(),
      resources: z.array(
        z.object({
          entry: z.string(),
          registers: z.number(),
          staticSharedBytes: z.number(),
          spillStoreBytes: z.number(),
          spillLoadBytes: z.number(),
          stackBytes: z.number(),
          maxThreads: z.number().optional(),
        }),
      ),
    })
    .optional(),
  device: z.object({
    kind: z.enum(['virtual', 'cuda']),
    name: z.string(),
    /** Id of the target GPU that times and resources are for. */
    gpu: z.string().optional(),
  }),
  /** The GPU that the candidate ran on besides `device`. */
  hardware: z
    .object({
      name: z.string(),
      simulated: z.boolean(),
      uuid: z.string(),
      capability: z.tuple([z.number(), z.number()]),
      multiprocessors: z.number(),
      cuda: z.string(),
      driver: z.string().optional(),
      calls: z.number().int(),
      /** What limits the candidate there, by the GPU's counters or by times of variants of it. */
      profile: z.object({ by: z.string(), words: z.array(z.string()) }).optional(),
    })
    .optional(),
  limits: z.object({
    milliseconds: z.number(),
    instructions: z.number(),
    memoryBytes: z.number(),
    printBytes: z.number(),
  }),
  environment: z.object({
    assay: z.string(),
    node: z.string(),
    platform: z.string(),
    /**
     * The walls that stood (src/isolation) around what worked on the candidate: the compiler, when it worked on it, the device's process, and that of a GPU beside it. `none`
     * where there was none. Absent where nothing of the kind was started, and in evidence from before they were noted.
     */
    walls: z
      .object({ compiler: z.string().optional(), device: z.string().optional(), hardware: z.string().optional() })
      .optional(),
  }),
  modelled: modelled.optional(),
  measured: measured.optional(),
  /** Times of a right candidate against baselines: raw windows, intervals, clocks, conditions; a claim, or why there is none. */
  timing: timedSchema.optional(),
  floor: floor.optional(),
  /** Bytes moved to and from global memory in one call, and what the profile of each launch says in words. */
  profile: z
    .object({
      globalBytes: z.number(),
      threadInstructions: z.number(),
      launches: z.array(z.object({ kernel: z.string(), words: z.array(z.string()) })).optional(),
    })
    .optional(),
  admission: z
    .object({
      mutants: z.array(
        z.object({
          id: z.string(),
          description: z.string(),
          operator: z.string(),
          killedByOwnInputs: z.boolean(),
          killedBy: z.string().optional(),
          /** What of the task is wrong in it, as a kind; absent in evidence of before. */
          kind: z.string().optional(),
          /** Error over what is allowed, family by family, until one caught it (over 1). */
          tried: z.array(z.object({ family: z.string(), excess: number })).optional(),
        }),
      ),
      /** Variants that compute the same function as the task, and why that is believed. */
      equivalent: z
        .array(
          z.object({
            id: z.string(),
            kind: z.string(),
            description: z.string(),
            operator: z.string(),
            by: z.enum(['proof', 'evidence']),
            reason: z.string(),
          }),
        )
        .optional(),
      score: z.number(),
      ownScore: z.number(),
      dead: z.array(z.object({ operator: z.string(), reason: z.string() })),
      hiddenByOwnInputs: z.array(z.object({ operator: z.string(), reason: z.string() })),
    })
    .optional(),
  /** A task that was scaled: what was seen of the candidate at the file's own shapes, by a few blocks of each launch. */
  fullSize: z
    .object({
      tensors: z.array(z.object({ name: z.string(), spec })),
      launches: z.array(
        z.object({
          kernel: z.string(),
          line: z.number().int(),
          grid: dim3,
          block: dim3,
          totalBlocks: z.number(),
          ranBlocks: z.number(),
          threadInstructions: z.number(),
          /** It was given made-up contents for what earlier launches, run in part, would have computed. */
          madeUp: z.boolean(),
          notChecked: z.string().optional(),
        }),
      ),
      outputs: z.array(
        z.object({
          name: z.string(),
          /** Elements compared with the reference, and the rows (of the first axis) they lie in. */
          compared: z.number().int(),
          rows: z.array(z.number().int()),
          /** Largest error over what is allowed. */
          worst: number.optional(),
          everyElementWritten: z.boolean(),
          notCompared: z.string().optional(),
        }),
      ),
      notChecked: z.string().optional(),
    })
    .optional(),
  /** The same task: the modelled time at those shapes, from a few blocks of each launch, and the least there could be. */
  fullSizeTime: z.object({ floor, modelled: modelled.optional(), notModelled: z.string().optional() }).optional(),
  printed: z.string(),
  timings: z.array(z.object({ stage: z.string(), milliseconds: z.number() })),
  notClaimed: z.array(z.string()),
});

export type Evidence = z.infer<typeof evidenceSchema>;
export type EvidenceFloor = z.infer<typeof floor>;
