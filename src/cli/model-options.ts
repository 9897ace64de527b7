/** Options about language models: which, where, for how much. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  createTuner,
  type Hire,
  hireBuiltin,
  hireBuiltinIfAble,
  hireModels,
  type ModelName,
  parseModelNames,
  parsePrices,
  vendors,
} from '../engineer/index.ts';
import { whole } from './whole-number.ts';

export interface ModelOptions {
  model?: readonly ModelName[];
  baseUrl?: string;
  price: readonly string[];
  dollars?: number;
  tokens?: number;
  calls: number;
  answerTokens: number;
  prompts?: string;
  modelTools: boolean;
  explain: 'rule' | 'model';
  builtin: boolean;
  record?: string;
  replay?: string;
}

/** Dollars that models may cost where nothing was said. */
const usualDollars = 5;

/** Adds the options to a command. */
export function withModels(command: Command): Command {
  return command
    .option(
      '--model <names>',
      `language models that propose kernels, vendor:name with commas (${vendors.join(', ')}); keys come from the environment`,
      asArgument(parseModelNames),
    )
    .option('--base-url <address>', 'where the models are, e.g. http://127.0.0.1:11434/v1')
    .option(
      '--price <price>',
      'dollars per million tokens in and out, NAME=IN/OUT, where the table has none (may be repeated)',
      (text: string, sofar: readonly string[]) => [...sofar, asArgument(checkedPrice)(text)],
      [],
    )
    .option('--dollars <amount>', `most that models may cost (default ${usualDollars} where prices are known)`, amount)
    .option('--tokens <count>', 'most tokens, in and out together', whole(1))
    .option('--calls <count>', 'most questions to models', whole(1), 100)
    .option('--answer-tokens <count>', 'most tokens of one answer', whole(256), 16_000)
    .option('--prompts <folder>', 'prompts of your own (Markdown files), in place of those of the same name')
    .option('--model-tools', 'let models build their kernels before they answer', false)
    .addOption(
      new Option('--explain <who>', 'who says what a failure means: rules, or a model in a call of its own')
        .choices(['rule', 'model'])
        .default('rule'),
    )
    .option('--no-builtin', 'leave the built-in engineer out')
    .option('--record <file>', 'write down the calls to models, for --replay')
    .option('--replay <file>', 'play recorded calls back; nobody is asked');
}

/** The engineers of a run: the built-in one alone, or with models and what sets the constants that they leave open. */
export function engineersFor(options: ModelOptions, seconds: number): readonly Hire[] {
  const { model: models, builtin, dollars, tokens, calls, baseUrl, prompts, record, replay } = options;
  if (!models) {
    if (!builtin) throw new Error('Without the built-in engineer a model is needed: name one with --model.');
    return [hireBuiltin];
  }
  const prices = parsePrices(options.price);
  const local = models.every(({ vendor }) => vendor === 'openai-compatible' || vendor === 'gguf');
  const most = dollars ?? (local ? undefined : usualDollars);
  const limits = { calls, ...(most !== undefined && { dollars: most }), ...(tokens !== undefined && { tokens }) };
  const hired = hireModels({
    ...{ models, environment: process.env, prices, limits, seconds },
    ...{ maxOutputTokens: options.answerTokens, tools: options.modelTools, explain: options.explain },
    ...(baseUrl !== undefined && { baseUrl }),
    ...(prompts !== undefined && { prompts }),
    ...(record !== undefined && { record }),
    ...(replay !== undefined && { replay: { file: replay, mode: 'exact' as const } }),
  });
  return [...(builtin ? [hireBuiltinIfAble] : []), ...hired, () => createTuner()];
}

/** The text, when it reads as a price. */
function checkedPrice(text: string): string {
  parsePrices([text]);
  return text;
}

function amount(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('It must be an amount greater than 0.');
  return value;
}

/** A parser whose sentence becomes the command line's. */
function asArgument<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
    }
  };
}
