import type { z } from 'zod';
import { HakoError } from '../base/errors.ts';
import {
  type JsonValue,
  type Plugin,
  type PluginKind,
  type PluginReference,
  type PluginSpec,
  pluginApi,
} from '../contracts/plugin-definition.ts';

/**
 * Makes a plugin of its description. The result is both the description and a function from options to a
 * {@link PluginReference}; the options are checked when it is called, so a misspelt one fails where it was written.
 *
 * @throws HakoError `HAKO_ERR_PLUGIN_API_MISMATCH` when `api` is not the version that this hako has.
 * @public
 */
export function definePlugin<const K extends PluginKind, Options extends z.ZodObject>(
  spec: PluginSpec<K, Options>,
): Plugin<K, Options> {
  if (spec.api !== pluginApi[spec.kind]) {
    throw new HakoError(
      'PLUGIN_API_MISMATCH',
      `The ${spec.kind} plugin '${spec.id}' was written for version ${spec.api} of its contract; this hako has ${pluginApi[spec.kind]}. Install a version of the plugin that matches.`,
    );
  }
  const reference = (options?: z.input<Options>): PluginReference<K> => {
    parsePluginOptions(spec, options ?? {});
    return { kind: spec.kind, driver: spec.id, options: (options ?? {}) as Record<string, JsonValue> };
  };
  return Object.assign(reference, spec);
}

// The log drivers' is Docker's: scripts look for its sentence.
const optionWord = { storage: 'option', privilege: 'option', log: 'log opt' } as const satisfies Record<
  PluginKind,
  string
>;

/**
 * Checks options against the plugin's schema.
 *
 * @throws HakoError `HAKO_ERR_INVALID_OPTION`, naming the option and, for an unknown one, those that exist.
 */
export function parsePluginOptions<K extends PluginKind, Options extends z.ZodObject>(
  spec: PluginSpec<K, Options>,
  options: unknown,
): z.output<Options> {
  const result = strict(spec.options).safeParse(options);
  if (result.success) return result.data as z.output<Options>;
  const known = Object.keys(spec.options.shape);
  const sentences = result.error.issues.map((issue) =>
    issue.code === 'unrecognized_keys'
      ? `unknown ${optionWord[spec.kind]} ${issue.keys.map((key) => `'${key}'`).join(', ')} for ${spec.id} ${spec.kind} driver (known: ${known.length === 0 ? 'none' : known.join(', ')})`
      : `${issue.path.join('.') || 'options'}: ${issue.message}`,
  );
  throw new HakoError(
    'INVALID_OPTION',
    `The ${spec.kind} driver '${spec.id}' does not accept these options: ${sentences.join('; ')}.`,
    { cause: result.error },
  );
}

// zod compiles a schema when it is first used: a new one for each call would be compiled for each container.
const strictSchemas = new WeakMap<z.ZodObject, z.ZodObject>();

function strict(schema: z.ZodObject): z.ZodObject {
  const known = strictSchemas.get(schema) ?? schema.strict();
  strictSchemas.set(schema, known);
  return known;
}
