import type { ContainerId } from '../../src/base/ids.ts';
import type { LogContainerInfo } from '../../src/contracts/log-driver.ts';

/** A container for log drivers to log, unlike any other in the fields that are given. */
export function logContainer(
  fields: Partial<Omit<LogContainerInfo, 'id'>> & { readonly id?: string } = {},
): LogContainerInfo {
  return {
    name: 'web',
    command: '/bin/true',
    imageId: `sha256:${'0'.repeat(64)}`,
    imageName: 'docker.io/library/busybox:latest',
    hostname: 'host',
    createdAt: new Date('2026-08-01T12:00:00Z'),
    labels: {},
    env: [],
    directory: '/nonexistent',
    ...fields,
    id: (fields.id ?? 'a'.repeat(64)) as ContainerId,
  };
}
