import type { HostInfo } from 'libhako/plugin';
import { z } from 'zod';

/** Those that belong to the driver: with them, `mountOptions` could point a container's root anywhere. */
const ownOptions = /^(?:lowerdir|datadir|upperdir|workdir|override_creds)/;
const mountOption = z
  .string()
  .regex(/^[a-z_]+(?:=[A-Za-z0-9_.-]+)?$/, "must be an option of overlayfs, as 'metacopy=on' or 'volatile'")
  .refine((option) => !ownOptions.test(option), 'is set by the driver itself');

export const overlay2Options = z.object({
  /** Further options for overlayfs (Documentation/filesystems/overlayfs.rst): `metacopy=on`, `volatile`, `xino=off` … */
  mountOptions: z.array(mountOption).max(32).optional(),
  /**
   * Whether overlayfs keeps its notes in `user.overlay.*` attributes instead of `trusted.overlay.*`, which cannot be read
   * inside a user namespace. On by default, so that one store serves containers in and out of user namespaces; off when
   * `mountOptions` ask for `metacopy` or `redirect_dir`, which do not go with it. One root must keep to one choice.
   */
  userxattr: z.boolean().optional(),
});

export type Overlay2Options = z.output<typeof overlay2Options>;

/** The option `userxattr`, or its default. */
export function choosesUserXattr({ userxattr, mountOptions }: Overlay2Options): boolean {
  return userxattr ?? !mountOptions?.some((option) => /^(?:metacopy|redirect_dir)=on$/.test(option));
}

/** Whether overlayfs is mounted inside a user namespace here: by an ordinary user, or by a root that is one inside only. */
export function isConfined(host: Pick<HostInfo, 'uid' | 'inUserNamespace'>): boolean {
  return host.uid !== 0 || host.inUserNamespace;
}
