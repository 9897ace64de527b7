/** The door of the engineer room: who proposes candidates, and the search that makes them better. */
export { type BuiltinOptions, createBuiltinEngineer } from './builtin/engineer.ts';
export { type Knob, knobs } from './builtin/knobs.ts';
export { LoweringError, lowerTask, type Schedule, supportedOperators } from './builtin/lower/index.ts';
export { taskBrief } from './llm/brief.ts';
export { asData } from './llm/data.ts';
export { type HireModelsOptions, hireModels } from './llm/hire.ts';
export { type ModelName, modelText, parseModelNames, vendors } from './llm/model-name.ts';
export { parsePrices } from './llm/prices.ts';
export { profileInWords } from './llm/profile.ts';
export { Prompts } from './llm/prompts.ts';
export { createTuner } from './llm/tune.ts';
export type {
  Engineer,
  Evaluate,
  Evaluation,
  Feedback,
  Hire,
  Json,
  Making,
  Proposal,
  Ranking,
  SearchArchive,
  SearchRecord,
  Setting,
  Strategy,
} from './ports.ts';
export { type AgentBudget, AgentRun, type AgentRunOptions, SubmissionRefused } from './run/agent-run.ts';
export { builtinBest } from './run/builtin-best.ts';
export { type JudgeOnceOptions, judgeOnce } from './run/judge-once.ts';
export {
  agentName,
  hireBuiltin,
  hireBuiltinIfAble,
  type OptimisedTask,
  type OptimiseTaskOptions,
  optimiseTask,
  type Winner,
} from './run/optimise-task.ts';
export type { SearchBudget, StopReason } from './search/budget.ts';
export { optimise, type SearchOptions, type SearchResult } from './search/optimise.ts';
export { Random } from './search/random.ts';
