import { z } from 'zod';
import { HakoError } from '../../base/errors.ts';
import type { OperationOptions } from '../../contracts/operation.ts';
import type { FileOwnership } from '../../contracts/privilege-mode.ts';
import type { Image } from '../../image/image.ts';
import type { CommitRequest } from '../../image/image-committer.ts';
import { imageDefaults } from '../../image/image-defaults.ts';
import { normalizeReference } from '../../image/reference.ts';
import type { ContainerDefaults } from '../../oci/image-config.ts';
import { operationOptions } from '../call-options.ts';
import { parseOptions } from '../options.ts';
import type { ContainerRecord } from '../record.ts';
import { optionsOf } from '../record-options.ts';
import { commandOf, mergeEnv } from '../spec/index.ts';
import type { Differ } from './diff.ts';
import type { Holder } from './holder.ts';

/** How an image is made of a container. @public */
export interface CommitOptions extends OperationOptions {
  /** The new image's name. By default it has none, and is found by its id. */
  readonly reference?: string;
  /** Of the new layer, in the image's history. */
  readonly author?: string;
  /** For the image's history. */
  readonly comment?: string;
  /**
   * What the image shall say of its containers. `env` and `labels` add to what the container has; anything else takes its
   * place. By default the image says what the container was made with.
   */
  readonly config?: Partial<ContainerDefaults>;
  /**
   * Hold the container's processes while its files are read, so that they go together. By default this is done where the
   * host can; with `true` it is an error where it cannot.
   */
  readonly pause?: boolean;
}

const commitOptions = z.strictObject({
  ...operationOptions,
  reference: z.string().optional(),
  author: z.string().optional(),
  comment: z.string().optional(),
  config: imageDefaults.optional(),
  pause: z.boolean().optional(),
});

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` */
export function givenCommit(options: unknown): CommitOptions {
  return parseOptions(commitOptions, options, 'commit') as CommitOptions;
}

export interface CommitterParts {
  readonly differ: Differ;
  readonly holder: Holder;
  readonly images: {
    commit(request: CommitRequest, ownership: FileOwnership, options: OperationOptions): Promise<Image>;
  };
  ownershipOf(mode: ContainerRecord['mode']): Promise<FileOwnership>;
}

/** Makes images of containers. */
export class Committer {
  readonly #parts: CommitterParts;

  constructor(parts: CommitterParts) {
    this.#parts = parts;
  }

  /** @throws HakoError `HAKO_ERR_INVALID_REFERENCE`, `HAKO_ERR_IMAGE_NOT_FOUND`; `HAKO_ERR_HOST_UNSUPPORTED` */
  async commit(record: ContainerRecord, { signal, ...given }: CommitOptions): Promise<Image> {
    const options = signal === undefined ? {} : { signal };
    const { differ, holder, images, ownershipOf } = this.#parts;
    const pause = given.pause === undefined ? 'if possible' : given.pause ? 'must' : 'no';
    const layer = () => differ.layer(record, options);
    const request: CommitRequest = {
      base: record.image.id,
      reference: given.reference === undefined ? null : tagOf(given.reference),
      defaults: defaultsOf(record, given.config ?? {}),
      author: given.author,
      comment: given.comment,
      createdBy: commandOf(optionsOf(record), record.imageDefaults).join(' '),
      layer: () => held(layer, (work) => holder.whileStill(record, { ...options, pause }, work)),
    };
    return images.commit(request, await ownershipOf(record.mode), options);
  }
}

/** A stream, during which something is held: from before its first byte to after its last. */
async function* held(
  stream: () => AsyncIterable<Uint8Array>,
  hold: (work: () => Promise<void>) => Promise<void>,
): AsyncGenerator<Uint8Array> {
  const begun = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  const holding = hold(() => {
    begun.resolve();
    return done.promise;
  });
  holding.catch(begun.reject);
  try {
    await begun.promise;
    yield* stream();
  } finally {
    done.resolve();
    await holding;
  }
}

/** @throws HakoError `HAKO_ERR_INVALID_REFERENCE` */
function tagOf(reference: string): string {
  const full = normalizeReference(reference);
  if (full.includes('@'))
    throw new HakoError('INVALID_REFERENCE', `'${reference}' names a digest; a name that is given must be a tag.`);
  return full;
}

/** What the container was made with, over what its image says; and over that what is asked for. */
function defaultsOf(record: ContainerRecord, asked: Partial<ContainerDefaults>): Partial<ContainerDefaults> {
  const { imageDefaults: image } = record;
  const options = optionsOf(record);
  const own = {
    env: mergeEnv(image.env, options.env ?? []),
    labels: { ...image.labels, ...options.labels },
    entrypoint: options.entrypoint ?? image.entrypoint,
    cmd: options.command ?? (options.entrypoint === undefined ? image.cmd : []),
    user: options.user ?? image.user,
    workingDir: options.workingDirectory ?? image.workingDir,
  };
  const stopSignal =
    asked.stopSignal ?? (options.stopSignal === undefined ? image.stopSignal : `${options.stopSignal}`);
  return {
    ...own,
    ...asked,
    ...(asked.entrypoint !== undefined && asked.cmd === undefined ? { cmd: [] } : {}),
    ...(stopSignal === undefined ? {} : { stopSignal }),
    env: mergeEnv(own.env, asked.env ?? []),
    labels: { ...own.labels, ...asked.labels },
  };
}
