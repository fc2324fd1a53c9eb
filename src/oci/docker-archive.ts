import { z } from 'zod';
import { parseDocument } from './document.ts';
import { listOf, maxLayers, nullAsAbsent } from './schema.ts';

/** The entry point of what `docker save` writes. */
export const dockerArchiveFile = 'manifest.json';

/** One image of a `docker save` archive: names of members of the archive, to be looked up, never opened as paths. */
export interface DockerArchiveEntry {
  readonly config: string;
  readonly repoTags: readonly string[];
  readonly layers: readonly string[];
}

const memberName = z.string().min(1).max(4096);

const schema = listOf(
  z.object({
    Config: memberName,
    RepoTags: nullAsAbsent(listOf(z.string().max(512), 256)),
    Layers: nullAsAbsent(listOf(memberName, maxLayers)),
  }),
  256,
).transform((entries) =>
  entries.map(
    (entry): DockerArchiveEntry => ({
      config: entry.Config,
      repoTags: entry.RepoTags ?? [],
      layers: entry.Layers ?? [],
    }),
  ),
);

/** @throws HakoError `HAKO_ERR_INVALID_IMAGE` */
export function parseDockerArchiveManifest(content: Uint8Array): readonly DockerArchiveEntry[] {
  return parseDocument(schema, content, 'manifest.json of the archive');
}
