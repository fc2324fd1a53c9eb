import type { ContainerId } from '../../base/ids.ts';
import type { ContainerHealth } from './health.ts';

/** Where containers' health is kept, for whoever asks from whichever process. */
export interface HealthRepository {
  find(id: ContainerId): ContainerHealth | null;
  put(id: ContainerId, health: ContainerHealth): void;
}
