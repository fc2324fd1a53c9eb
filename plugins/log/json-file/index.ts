import { definePlugin } from 'libhako/plugin';
import { JsonFileDriver } from './driver.ts';
import { jsonFileOptions, normalize } from './options.ts';

/**
 * Keeps a container's output in files, one JSON object a line: Docker's json-file driver, with the same options, the
 * same file names and, byte for byte, the same records. The supervisor writes them, whether a Node process is there
 * or not.
 *
 * @public
 */
export const jsonFile = definePlugin({
  kind: 'log',
  id: 'json-file',
  api: 1,
  options: jsonFileOptions,
  create: async (context, options) => new JsonFileDriver(context, normalize(options)),
});
