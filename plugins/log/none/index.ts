import { definePlugin } from 'libhako/plugin';
import { z } from 'zod';

/**
 * Keeps nothing. `logs()` of such a container fails with `HAKO_ERR_LOG_NOT_READABLE`.
 *
 * @public
 */
export const none = definePlugin({
  kind: 'log',
  id: 'none',
  api: 1,
  options: z.object({}),
  create: async () => ({
    open: async () => ({ kind: 'none' as const }),
    [Symbol.asyncDispose]: async () => {},
  }),
});
