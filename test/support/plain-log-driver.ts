import { definePlugin } from 'libhako/plugin';
import { z } from 'zod';

export const plain = definePlugin({
  kind: 'log',
  id: 'plain',
  api: 1,
  options: z.object({ size: z.number().int().positive().default(1_000_000) }),
  create: async (_context, { size }) => ({
    open: async () => ({
      kind: 'json-file',
      fileName: 'output.log',
      maxSize: size,
      maxFiles: 2,
      compress: false,
      attributes: {},
    }),
    [Symbol.asyncDispose]: async () => {},
  }),
});
