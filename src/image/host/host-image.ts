import { type Digest, digestOf } from '../../base/digest.ts';
import type { ImageConfig } from '../../oci/image-config.ts';
import { hostPlatform } from '../../oci/platform.ts';

/**
 * What of the host an image of its root shows.
 *
 * @public
 */
export interface HostImageOptions {
  /**
   * Directories of the host that are empty in the container, as absolute paths. By default the homes and what programs
   * leave for each other: `/root`, `/home`, `/tmp`, `/var/tmp`, `/run`, `/mnt`, `/media`. `[]` shows them all. hako's own
   * root is always hidden.
   */
  readonly hide?: readonly string[];
}

const defaultHidden = ['/root', '/home', '/tmp', '/var/tmp', '/run', '/mnt', '/media'];

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
