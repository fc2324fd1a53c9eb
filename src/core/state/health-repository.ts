import { z } from 'zod';
import type { ContainerId } from '../../base/ids.ts';
import type { ContainerHealth } from '../../container/health/health.ts';
import type { HealthRepository } from '../../container/health/health-repository.ts';
import type { Database } from './database.ts';

const time = z.iso.datetime().transform((text) => new Date(text));

const schema = z.object({
  status: z.enum(['starting', 'healthy', 'unhealthy']),
  failingStreak: z.number().int(),
  log: z.array(z.object({ startedAt: time, finishedAt: time, exitCode: z.number().int(), output: z.string() })),
});

/** Containers' health in the state store; it goes with the container. */
export class SqliteHealthRepository implements HealthRepository {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  find(id: ContainerId): ContainerHealth | null {
    const row = this.#db.get('SELECT health FROM container_health WHERE id = ?', id);
    if (row === undefined) return null;
    const parsed = schema.safeParse(JSON.parse(String(row['health'])));
    return parsed.success ? parsed.data : null;
  }

  put(id: ContainerId, health: ContainerHealth): void {
    // Of a container that is there: one that was just removed has no health.
    this.#db.run(
      'INSERT INTO container_health (id, health) SELECT id, ? FROM containers WHERE id = ? ON CONFLICT (id) DO UPDATE SET health = excluded.health',
      JSON.stringify(health),
      id,
    );
  }
}
