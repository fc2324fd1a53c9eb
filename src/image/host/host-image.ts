import { z } from 'zod';
import { type Digest, digestOf } from '../../base/digest.ts';
import { HakoError } from '../../base/errors.ts';
import type { ImageConfig } from '../../oci/image-config.ts';
import { hostPlatform } from '../../oci/platform.ts';

/**
 * What of the host an image of its root shows.
 *
 * @public
 */
export interface HostImageOptions {
  /**
   * Directories and files of the host that are empty in the container, as absolute paths. By default the homes, what
   * programs leave for each other, logs, other engines' data, and the files of /etc that hold secrets:
   * {@link defaultHidden}. `[]` shows them all. hako's own root is always hidden.
   */
  readonly hide?: readonly string[];
}

/**
 * What {@link HostImageOptions.hide} is by default. It is not a promise that nothing else is secret: everything that is
 * not named here, and that root of the container may read, is shown.
 *
 * @public
 */
export const defaultHidden: readonly string[] = [
  ...['/root', '/home', '/tmp', '/var/tmp', '/run', '/mnt', '/media', '/srv', '/boot'],
  ...['/var/log', '/var/spool', '/var/mail', '/var/backups', '/var/lib/hako', '/var/lib/docker'],
  ...[
    '/var/lib/containerd',
    '/var/lib/containers',
    '/var/lib/kubelet',
    '/etc/kubernetes',
    '/etc/ssh',
    '/etc/ssl/private',
  ],
  ...['/etc/shadow', '/etc/shadow-', '/etc/gshadow', '/etc/gshadow-', '/etc/sudoers', '/etc/sudoers.d'],
];

const hostImageOptions = z.strictObject({
  hide: z.array(z.string().regex(/^\/[^\0]*$/, 'write absolute paths')).exactOptional(),
});

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` */
export function parseHostImageOptions(options: HostImageOptions): HostImageOptions {
  const { data, error } = hostImageOptions.safeParse(options);
  if (data !== undefined) return data;
  const sentences = error.issues.map(({ path, message }) => `${path.join('.') || 'options'}: ${message}`);
  throw new HakoError('INVALID_OPTION', `These options of the host's image are not valid: ${sentences.join('; ')}.`, {
    cause: error,
  });
}

export function hiddenDirectories(options: HostImageOptions): readonly string[] {
  return options.hide ?? defaultHidden;
}

/** Two images of the host with the same options are the same image. */
export function hostImageId(options: HostImageOptions): Digest {
  return digestOf(`hako host image\n${hiddenDirectories(options).join('\n')}`);
}

export function hostImageConfig(): ImageConfig {
  return {
    platform: hostPlatform(process.arch === 'arm64' ? 'arm64' : 'x64'),
    defaults: {
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      entrypoint: [],
      cmd: ['/bin/sh'],
      user: '',
      workingDir: '/',
      labels: {},
      exposedPorts: [],
      volumes: [],
    },
    diffIds: [],
    history: [],
    ignored: [],
  };
}
