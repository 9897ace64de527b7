/** The door of the task room: a PyTorch file becomes a graph, with its operators, reference, inputs and floor. */

export { type Backward, backwardGraph } from './backward.ts';
export { graphText, signatureText } from './describe.ts';
export {
  type CacheState,
  compulsoryBytes,
  type Floor,
  type FloorTarget,
  floor,
  graphOperations,
} from './floor/floor.ts';
export { valueRanges } from './floor/ranges.ts';
export type { Omission } from './floor/simplify.ts';
export { AS_WRITTEN, drawArguments, drawAsFiled, familyNear, type InputFamily, inputFamilies } from './inputs/draw.ts';
export { Random } from './inputs/random.ts';
export { drawTiled, type TiledTensor, tiledElements } from './inputs/tiled.ts';
export { domainOf, Equivalence, sentenceOf, unusedArguments } from './mutants/equivalent.ts';
export { type Mutant, type MutantKind, mutants } from './mutants/mutants.ts';
export { Variants } from './mutants/variants.ts';
export { type ArithmeticChoice, float64, type SummationOrder } from './operators/arithmetic.ts';
export { goesThroughTiles } from './operators/conv.ts';
export {
  checkGraph,
  evaluateGraph,
  evaluateNode,
  fixedTensor,
  inferNode,
  isRandomDraw,
  type OutputValues,
} from './operators/evaluate.ts';
export { interpolationWeights } from './operators/interpolate.ts';
export { padIndex } from './operators/layout.ts';
export { Attributes, type Operations, type Operator, type OperatorKind } from './operators/operator.ts';
export { operatorOf, operators } from './operators/table.ts';
export {
  decode,
  elementBytes,
  elementCount,
  encode,
  equalTensors,
  hostTensor,
  isFloating,
  roundArray,
  rounderOf,
  roundTf32,
  sameShape,
  sameSpec,
  specText,
  tensorBytes,
} from './operators/tensor.ts';
export { outputSpecs } from './output-specs.ts';
export { workOf } from './scale.ts';
export {
  type FullTask,
  type LoadOptions,
  loadedName,
  loadTask,
  loadVerified,
  loadWithFull,
  signatureOf,
  taskConfigurations,
  type VerifiedTask,
} from './task.ts';
export { DEFAULT_LIMITS, type SandboxLimits } from './trace/sandbox.ts';
export {
  type ExtensionArgument,
  type ExtensionCall,
  type ExtensionResult,
  type ExtensionSources,
  runSubmission,
  SubmissionError,
  type SubmissionHost,
  type SubmissionNews,
  type SubmissionRequest,
  type SubmissionRun,
  type SubmissionValue,
} from './trace/submission.ts';
export { TaskError, type TaskErrorKind } from './trace/task-error.ts';
export {
  pythonWithTorch,
  type TorchOpinion,
  type TorchPython,
  taskPython,
  torchOpinions,
} from './trace/torch-oracle.ts';
export type * from './types.ts';
export { VERIFIED_SCALE } from './verified-scale.ts';
