import type { ContainerDefaults } from '../../oci/image-config.ts';
import type { HttpCheck } from './http-options.ts';
import type { HealthcheckOptions } from './options.ts';

/** How a container's health is looked at. */
export type HealthProbe =
  | { readonly kind: 'exec'; readonly command: readonly string[] }
  | { readonly kind: 'tcp'; readonly port: number }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'http'; readonly check: HttpCheck }
  | { readonly kind: 'call' };

/** Times in milliseconds. */
export interface HealthPlan {
  readonly probe: HealthProbe;
  readonly interval: number;
  readonly timeout: number;
  readonly startPeriod: number;
  readonly startInterval: number;
  readonly retries: number;
}

const seconds = 1_000;
const perMillisecond = 1e6;
/** What an image may ask for, in milliseconds: neither to be looked at without a pause, nor more than a timer can wait. */
const imageRange = { least: 100, most: 2 ** 31 - 1 };

/** What the options say, and the image where they do not; null: nothing is to be checked. */
export function healthPlan(
  options: HealthcheckOptions | undefined,
  { healthcheck: image, shell }: Pick<ContainerDefaults, 'healthcheck' | 'shell'>,
): HealthPlan | null {
  if (options === undefined && image === undefined) return null;
  const probe = probeOf(options, image?.test ?? [], shell);
  if (probe === null) return null;
  const span = (name: 'interval' | 'timeout' | 'startPeriod' | 'startInterval', otherwise: number): number =>
    options?.[name] || ofImage(image?.[name] ?? 0) || otherwise;
  return {
    probe,
    interval: span('interval', 30 * seconds),
    timeout: span('timeout', 30 * seconds),
    startPeriod: span('startPeriod', 0),
    startInterval: span('startInterval', 5 * seconds),
    retries: options?.retries || image?.retries || 3,
  };
}

function ofImage(nanoseconds: number): number {
  if (nanoseconds === 0) return 0;
  return Math.min(Math.max(nanoseconds / perMillisecond, imageRange.least), imageRange.most);
}

function probeOf(
  { test, tcp, http, file, call }: HealthcheckOptions = {},
  imageTest: readonly string[],
  shell: readonly string[] = ['/bin/sh', '-c'],
): HealthProbe | null {
  if (tcp !== undefined) return { kind: 'tcp', port: tcp };
  if (http !== undefined) return { kind: 'http', check: http };
  if (file !== undefined) return { kind: 'file', path: file };
  if (call !== undefined) return { kind: 'call' };
  const [kind, ...words] = test ?? imageTest;
  if (words.length === 0) return null;
  if (kind === 'CMD') return { kind: 'exec', command: words };
  return kind === 'CMD-SHELL' ? { kind: 'exec', command: [...shell, ...words] } : null;
}
