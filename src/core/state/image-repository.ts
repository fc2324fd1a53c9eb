import { z } from 'zod';
import type { Digest } from '../../base/digest.ts';
import type { ImageRecord, ImageRepository } from '../../image/image-repository.ts';
import { descriptorSchema } from '../../oci/descriptor.ts';
import { platformSchema } from '../../oci/platform.ts';
import { digest } from '../../oci/schema.ts';
import type { Database } from './database.ts';
import type { Quarantine } from './quarantine.ts';

const recordSchema: z.ZodType<ImageRecord> = z.object({
  id: digest,
  manifest: descriptorSchema,
  config: descriptorSchema,
  platform: platformSchema,
  layers: z.array(z.object({ blob: descriptorSchema, diffId: digest, chainId: digest })),
  createdAt: z.iso.datetime(),
});

/** Images' records and references in the state store. */
export class SqliteImageRepository implements ImageRepository {
  readonly #db: Database;
  readonly #quarantine: Quarantine;

  constructor(db: Database, quarantine: Quarantine) {
    this.#db = db;
    this.#quarantine = quarantine;
  }

  put(image: ImageRecord): void {
    this.#db.run(
      'INSERT INTO images (id, created_at, record) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET created_at = excluded.created_at, record = excluded.record',
      image.id,
      Date.parse(image.createdAt),
      JSON.stringify(image),
    );
  }

  get(id: Digest): ImageRecord | null {
    return this.#read(this.#db.get('SELECT id, record FROM images WHERE id = ?', id));
  }

  findByPrefix(hexPrefix: string, limit: number): readonly Digest[] {
    return this.#db
      .all(
        'SELECT id FROM images WHERE id >= ? AND id < ? LIMIT ?',
        `sha256:${hexPrefix}`,
        `sha256:${hexPrefix}g`,
        limit,
      )
      .map((row) => row['id'] as Digest);
  }

  list(): readonly ImageRecord[] {
    return this.#db
      .all('SELECT id, record FROM images ORDER BY created_at DESC, id')
      .map((row) => this.#read(row))
      .filter((record) => record !== null);
  }

  delete(id: Digest): void {
    this.#db.run('DELETE FROM images WHERE id = ?', id);
  }

  setReference(reference: string, id: Digest): void {
    this.#db.run(
      'INSERT INTO image_references (reference, image_id) VALUES (?, ?) ON CONFLICT (reference) DO UPDATE SET image_id = excluded.image_id',
      reference,
      id,
    );
  }

  deleteReference(reference: string): void {
    this.#db.run('DELETE FROM image_references WHERE reference = ?', reference);
  }

  resolveReference(reference: string): Digest | null {
    return (
      (this.#db.get('SELECT image_id FROM image_references WHERE reference = ?', reference)?.['image_id'] as
        | Digest
        | undefined) ?? null
    );
  }

  referencesOf(id: Digest): readonly string[] {
    return this.#db
      .all('SELECT reference FROM image_references WHERE image_id = ? ORDER BY reference', id)
      .map((row) => String(row['reference']));
  }

  #read(row: Record<string, unknown> | undefined): ImageRecord | null {
    if (row === undefined) return null;
    try {
      return recordSchema.parse(JSON.parse(String(row['record'])));
    } catch (error) {
      this.#quarantine.take('images', row, error);
      return null;
    }
  }
}
