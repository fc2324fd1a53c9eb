import { definePlugin } from 'libhako/plugin';
import { Overlay2Driver } from './driver.ts';
import { isConfined, overlay2Options } from './options.ts';

/**
 * Layers as overlayfs stacks them, as Docker's driver of that name: no copy is made, and a container's changes lie
 * in one directory. For an ordinary user too (overlay in a user namespace with `userxattr`, Linux 5.11).
 *
 * @public
 */
export const overlay2 = definePlugin({
  kind: 'storage',
  id: 'overlay2',
  api: 1,
  options: overlay2Options,
  probe: (host) => (isConfined(host) ? host.rootlessOverlay : host.overlay),
  create: async (context, options) => new Overlay2Driver(context, options),
});

export default overlay2;
