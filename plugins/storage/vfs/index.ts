import { definePlugin } from 'libhako/plugin';
import { z } from 'zod';
import { VfsDriver } from './driver.ts';

/**
 * Every snapshot as a full copy of its parent, as Docker's driver of that name: slow and large, but it asks nothing
 * of the kernel. Where the filesystem can share blocks between files, the copies share them.
 *
 * @public
 */
export const vfs = definePlugin({
  kind: 'storage',
  id: 'vfs',
  api: 1,
  options: z.object({}),
  create: async (context) => new VfsDriver(context),
});

export default vfs;
