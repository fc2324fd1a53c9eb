import 'reflect-metadata';
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { overlay2 } from 'libhako/plugins/storage/overlay2';
import { vfs } from 'libhako/plugins/storage/vfs';
import { ContentStore } from '../../src/content/content-store.ts';
import type { RuntimeEvents } from '../../src/contracts/events.ts';
import type { StorageDriver } from '../../src/contracts/storage-driver.ts';
import { Database } from '../../src/core/state/database.ts';
import { SqliteImageRepository } from '../../src/core/state/image-repository.ts';
import { SqliteLeaseRepository } from '../../src/core/state/lease-repository.ts';
import { Quarantine } from '../../src/core/state/quarantine.ts';
import { GarbageCollector } from '../../src/image/garbage-collector.ts';
import { HostRootStorage } from '../../src/image/host/host-root-storage.ts';
import { ImageCommitter } from '../../src/image/image-committer.ts';
import { ImageImporter } from '../../src/image/image-importer.ts';
import { ImageService } from '../../src/image/image-service.ts';
import { NativeTreeWorker } from '../../src/image/native-tree-worker.ts';
import { UnpackService } from '../../src/image/unpack-service.ts';
import { loadNativeBinding } from '../../src/native/binding.ts';
import { locateNative } from '../../src/native/loader.ts';
import { HostFileServices } from '../../src/native/native-services.ts';
import { Worker } from '../../src/native/worker.ts';
import { contextOn } from '../../src/plugin-conformance.ts';

/** The image half of a runtime, of the real parts: content, state, worker and storage driver on a root of its own. */
export interface ImageRuntime extends AsyncDisposable {
  readonly root: string;
  readonly images: ImageService;
  readonly store: ContentStore;
  readonly storage: HostRootStorage;
  readonly driver: StorageDriver;
  readonly collector: GarbageCollector;
  readonly leases: SqliteLeaseRepository;
  readonly repository: SqliteImageRepository;
  readonly events: unknown[][];
  /** Images that a container is said to need. */
  readonly used: Set<string>;
}

let native: Promise<{ services: HostFileServices; worker: Worker }> | undefined;

async function openNative(): Promise<{ services: HostFileServices; worker: Worker }> {
  const files = locateNative();
  const binding = loadNativeBinding(files);
  const worker = await Worker.open(binding, files.worker);
  return { services: new HostFileServices(binding, worker, async () => null), worker };
}

export async function openServices(): Promise<{ services: HostFileServices; worker: Worker }> {
  native ??= openNative();
  return native;
}

/** @param root - a root that there is already, as a second process would open it */
export async function openImageRuntime(
  options: { root?: string; storage?: 'overlay2' | 'vfs' } = {},
): Promise<ImageRuntime> {
  const root = options.root ?? mkdtempSync(join(tmpdir(), 'hako-images-'));
  const id = options.storage ?? 'overlay2';
  const paths = { content: join(root, 'content') };
  for (const path of [paths.content, join(root, id)]) mkdirSync(path, { recursive: true, mode: 0o700 });
  const { services, worker } = await openServices();
  const database = new Database(join(root, 'hako.db'));
  const leases = new SqliteLeaseRepository(database);
  const repository = new SqliteImageRepository(database, new Quarantine(database, () => undefined));
  const store = new ContentStore(paths);
  await store.open();
  const context = contextOn(join(root, id), services);
  const driver = id === 'vfs' ? await vfs.create(context, {}) : await overlay2.create(context, {});
  const storage = new HostRootStorage(driver, root, context.host);
  const trees = new NativeTreeWorker(worker, async () => null);
  const collector = new GarbageCollector(store, repository, leases, storage, services, paths);
  const events: unknown[][] = [];
  const used = new Set<string>();
  const images = new ImageService(
    store,
    new ImageImporter(store, trees, context.host),
    new ImageCommitter(store, repository),
    new UnpackService(store, storage, trees, { root }),
    collector,
    repository,
    leases,
    { usesImage: (id) => used.has(id) },
    { emit: (event: keyof RuntimeEvents, ...values: unknown[]) => events.push([event, ...values]) > 0 },
  );
  return {
    root,
    images,
    store,
    storage,
    driver,
    collector,
    leases,
    repository,
    events,
    used,
    [Symbol.asyncDispose]: async () => {
      await storage[Symbol.asyncDispose]();
      database[Symbol.dispose]();
      assert.deepEqual(context.warnings, [], 'warnings of the storage driver');
      if (options.root === undefined) rmSync(root, { recursive: true, force: true });
    },
  };
}

/** Everything under a root but the database: what must not be left behind. */
export function leftovers(root: string): readonly string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter(
      (name) =>
        !name.startsWith('hako.db') &&
        !name.endsWith('collect.lock') &&
        !/^(content|content\/(blobs|blobs\/sha256|ingest)|overlay2|vfs|(overlay2|vfs)\/\.(tmp|trash|commit\.lock|spare.*))$/.test(
          name,
        ),
    )
    .sort();
}
