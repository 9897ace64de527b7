/** Names of models as they are given on the command line: `vendor:name`, several with commas. */

export const vendors = ['anthropic', 'openai', 'google', 'openai-compatible', 'gguf'] as const;
export type Vendor = (typeof vendors)[number];

export interface ModelName {
  vendor: Vendor;
  /** The vendor's own name of the model; of `gguf`, a file. */
  name: string;
}

/** `anthropic:claude-opus-4-8,openai:gpt-5.5`. Throws a sentence that says what is wrong with which. */
export function parseModelNames(text: string): ModelName[] {
  const names = text.split(',').map((one) => parseModelName(one.trim()));
  const known = new Set<string>();
  for (const name of names) {
    if (known.has(modelText(name))) throw new Error(`The model ${modelText(name)} is named twice.`);
    known.add(modelText(name));
  }
  return names;
}

function parseModelName(text: string): ModelName {
  const colon = text.indexOf(':');
  const vendor = vendors.find((one) => one === text.slice(0, colon));
  if (colon < 1 || !vendor || colon === text.length - 1)
    throw new Error(
      `"${text}" names no model. Write vendor:name, where vendor is one of ${vendors.join(', ')}; e.g. anthropic:claude-opus-4-8, ` +
        'or openai-compatible:NAME with --base-url for Ollama, vLLM or llama.cpp.',
    );
  return { vendor, name: text.slice(colon + 1) };
}

/** `vendor:name`. */
export function modelText({ vendor, name }: ModelName): string {
  return `${vendor}:${name}`;
}
