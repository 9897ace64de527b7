/** Hires models for a run: opens them, looks up their prices, shares one budget and one desk among them, and says beforehand what it may cost. */
import type { Archive } from '../../archive/index.ts';
import type { Engineer, Hire, Setting } from '../ports.ts';
import { taskBrief } from './brief.ts';
import { recording, replaying } from './cassette.ts';
import { Desk, type PricedModel, spentOn } from './desk.ts';
import { createLlmEngineer, type RelatedKernel } from './engineer.ts';
import { estimateInWords } from './estimate.ts';
import { openGguf } from './gguf.ts';
import { Ledger, type SpendingLimits } from './ledger.ts';
import { llmPrefix, type PastFailure } from './memory.ts';
import { type ModelName, modelText } from './model-name.ts';
import { type GivenPrices, priceOf } from './prices.ts';
import { Prompts } from './prompts.ts';
import type { Model } from './question.ts';
import { openVendorModel } from './sdk.ts';

export interface HireModelsOptions {
  models: readonly ModelName[];
  baseUrl?: string;
  /** Where keys are looked up: `process.env`. */
  environment: Readonly<Record<string, string | undefined>>;
  prices: GivenPrices;
  limits: SpendingLimits;
  /** No question is asked after this many seconds. */
  seconds?: number;
  /** Tokens that an answer may have (default 16,000). */
  maxOutputTokens?: number;
  /** A folder with prompts that take the place of ours. */
  prompts?: string;
  tools?: boolean;
  explain?: 'rule' | 'model';
  /** Calls are written to this file. */
  record?: string;
  /** Calls are played back from this file; nobody is asked. */
  replay?: { file: string; mode: 'exact' | 'in order' };
}

/** Related kernels that are shown. */
const mostRelated = 3;
/** Below this, another task has too little in common. */
const leastSimilarity = 0.35;
/** Earlier runs whose failures are looked at. */
const pastRuns = 20;

/** What the models of one run share. */
interface Office {
  desk: Desk;
  prompts: Prompts;
  related: readonly RelatedKernel[];
  pastFailures: readonly PastFailure[];
  deadline?: AbortSignal;
}

/** One engineer a model. Each throws a sentence where its key, address or price is missing. */
export function hireModels(options: HireModelsOptions): Hire[] {
  // All engineers of a run share its budget; a run is told by its id.
  let office: { run: string; open: Promise<Office> } | undefined;
  return options.models.map((name) => async (setting: Setting): Promise<Engineer> => {
    const priced = await openPriced(name, options);
    if (office?.run !== setting.run) office = { run: setting.run, open: openOffice(options, setting) };
    const shared = await office.open;
    const { maxOutputTokens = 16_000, tools = false, explain = 'rule' } = options;
    const startsFromNothing = setting.colleagues.every(({ name: other }) => other.startsWith(llmPrefix));
    tellEstimate(priced, shared.prompts, setting, options);
    return createLlmEngineer({ setting, priced, ...shared, maxOutputTokens, tools, explain, startsFromNothing });
  });
}

async function openPriced(name: ModelName, options: HireModelsOptions): Promise<PricedModel> {
  const price = priceOf(name, options.prices);
  const local = name.vendor === 'openai-compatible' || name.vendor === 'gguf';
  if (!price && options.replay === undefined && (!local || options.limits.dollars !== undefined))
    throw new Error(
      `The price of ${modelText(name)} is not known. Give it in dollars per million tokens, in and out: --price ${name.name}=IN/OUT` +
        `${local ? ' (0/0 for a server of your own)' : ''}.`,
    );
  const model = await openModel(name, options);
  return { model, ...(price && { price }) };
}

async function openModel(name: ModelName, { baseUrl, environment, record, replay }: HireModelsOptions): Promise<Model> {
  if (replay) return replaying(modelText(name), replay.file, replay.mode);
  const model =
    name.vendor === 'gguf'
      ? await openGguf(name.name)
      : await openVendorModel(name, { environment, ...(baseUrl !== undefined && { baseUrl }) });
  return record === undefined ? model : recording(model, record);
}

async function openOffice(options: HireModelsOptions, setting: Setting): Promise<Office> {
  const { run, archive, events, task, target } = setting;
  const ledger = new Ledger(options.limits, spentOn(await archive.calls(run)));
  const started = (await archive.run(run))?.started;
  const related = await archive.related(task, target.id, mostRelated);
  return {
    desk: new Desk({ run, book: archive, ledger, ...(events && { events }) }),
    prompts: new Prompts(options.prompts),
    related: related
      .filter(({ similarity }) => similarity >= leastSimilarity)
      .map(({ task: other, shared, candidate: { summary, source } }) => ({
        task: other.name,
        shared,
        summary,
        source,
      })),
    pastFailures: await failuresOfOthers(archive, task.hash, started),
    ...(options.seconds !== undefined && { deadline: AbortSignal.timeout(1000 * options.seconds) }),
  };
}

/** How candidates of models failed in other tasks' runs that had ended when this one began. */
async function failuresOfOthers(
  archive: Archive,
  taskHash: string,
  before: string | undefined,
): Promise<PastFailure[]> {
  const runs = (await archive.runs()).filter(
    ({ finished, taskHash: other, engineer }) =>
      other !== taskHash &&
      finished !== null &&
      (before === undefined || finished < before) &&
      engineer.includes(llmPrefix),
  );
  const candidates = await Promise.all(runs.slice(0, pastRuns).map(({ id }) => archive.candidates(id)));
  return candidates
    .flat()
    .filter(({ engineer, verdict }) => engineer.startsWith(llmPrefix) && verdict?.outcome === 'rejected')
    .map(({ verdict }) => ({ check: verdict!.check, reason: verdict!.reason }));
}

function tellEstimate(priced: PricedModel, prompts: Prompts, setting: Setting, options: HireModelsOptions): void {
  const text = taskBrief(setting) + prompts.fill('answer') + setting.task.source;
  const question = {
    system: prompts.fill('system'),
    messages: [{ role: 'user' as const, text }],
    maxOutputTokens: options.maxOutputTokens ?? 16_000,
  };
  for (const message of estimateInWords([priced], question, options.limits))
    setting.events?.emit({ type: 'note', level: 'info', message });
}
