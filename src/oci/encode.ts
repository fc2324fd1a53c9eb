import { z } from 'zod';
import type { Digest } from '../base/digest.ts';
import { digestOf } from '../base/digest.ts';
import type { Descriptor } from './descriptor.ts';
import type { ContainerDefaults, Healthcheck } from './image-config.ts';
import { mediaTypes } from './media-types.ts';
import type { Platform } from './platform.ts';

/** As much of a configuration as is added to; it has been read by `parseImageConfig` before. */
const baseSchema = z.looseObject({
  id: z.unknown().optional(),
  parent: z.unknown().optional(),
  container: z.unknown().optional(),
  config: z.looseObject({}).nullish(),
  rootfs: z.looseObject({ diff_ids: z.array(z.string()).nullish() }),
  history: z.array(z.unknown()).nullish(),
});

/** A document that hako writes itself, with the descriptor to find it by. */
export interface EncodedDocument {
  readonly content: Uint8Array;
  readonly descriptor: Descriptor;
}

/** Writes an image configuration (config.md) for an image that hako makes: its `created` is the only thing that varies. */
export function encodeImageConfig(image: {
  platform: Platform;
  created: string;
  defaults: Partial<ContainerDefaults>;
  diffIds: readonly Digest[];
  comment: string;
}): EncodedDocument {
  const { defaults, platform } = image;
  return encode(mediaTypes.ociConfig, {
    created: image.created,
    architecture: platform.architecture,
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
    os: platform.os,
    config: encodeDefaults(defaults),
    rootfs: { type: 'layers', diff_ids: image.diffIds },
    history: image.diffIds.map(() => ({ created: image.created, comment: image.comment })),
  });
}

/** The fields of an image's `config` (config.md) for what is given; the others are left out. */
export function encodeDefaults(defaults: Partial<ContainerDefaults>): Readonly<Record<string, unknown>> {
  return given({
    User: defaults.user,
    ExposedPorts: asKeys(defaults.exposedPorts),
    Env: defaults.env,
    Entrypoint: defaults.entrypoint,
    Cmd: defaults.cmd,
    Volumes: asKeys(defaults.volumes),
    WorkingDir: defaults.workingDir,
    Labels: defaults.labels,
    StopSignal: defaults.stopSignal,
    Shell: defaults.shell,
    OnBuild: defaults.onBuild,
    Healthcheck: asHealthcheck(defaults.healthcheck),
  });
}

const given = (fields: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

/**
 * The configuration of an image that is another with a layer on top: what that one says and hako has no name for stays.
 *
 * @param base - the configuration of the other one, which was read as one before
 */
export function extendImageConfig(
  base: Uint8Array,
  change: {
    created: string;
    author: string | undefined;
    defaults: Partial<ContainerDefaults>;
    /** null: the change is to the configuration alone. */
    diffId: Digest | null;
    createdBy: string;
    comment: string | undefined;
  },
): EncodedDocument {
  const {
    id: _id,
    parent: _parent,
    container: _container,
    ...document
  } = baseSchema.parse(JSON.parse(new TextDecoder().decode(base)));
  const { created, author, diffId } = change;
  return encode(mediaTypes.ociConfig, {
    ...document,
    created,
    ...(author === undefined ? {} : { author }),
    config: { ...document.config, ...encodeDefaults(change.defaults) },
    rootfs: {
      type: 'layers',
      diff_ids: [...(document.rootfs.diff_ids ?? []), ...(diffId === null ? [] : [diffId])],
    },
    history: [
      ...(document.history ?? []),
      {
        created,
        created_by: change.createdBy,
        author,
        comment: change.comment,
        ...(diffId === null ? { empty_layer: true } : {}),
      },
    ],
  });
}

/** Writes an image manifest (manifest.md). */
export function encodeManifest(config: Descriptor, layers: readonly Descriptor[]): EncodedDocument {
  return encode(mediaTypes.ociManifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: bare(config),
    layers: layers.map(bare),
  });
}

function encode(mediaType: string, document: unknown): EncodedDocument {
  const content = new TextEncoder().encode(JSON.stringify(document));
  return { content, descriptor: { mediaType, digest: digestOf(content), size: content.byteLength } };
}

const bare = ({ mediaType, digest, size }: Descriptor) => ({ mediaType, digest, size });

const asHealthcheck = (check: Healthcheck | undefined) =>
  check && {
    Test: check.test,
    Interval: check.interval,
    Timeout: check.timeout,
    StartPeriod: check.startPeriod,
    StartInterval: check.startInterval,
    Retries: check.retries,
  };

const asKeys = (names: readonly string[] | undefined) =>
  names === undefined ? undefined : Object.fromEntries(names.map((name) => [name, {}]));
