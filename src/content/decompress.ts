import { pipeline } from 'node:stream';
import zlib from 'node:zlib';
import { HakoError } from '../base/errors.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import type { LayerCompression } from '../oci/media-types.ts';

/** How much a compressed stream may grow. */
export interface DecompressionLimits {
  /** Bytes that may come out. */
  readonly bytes: number;
  /** Bytes out for each byte in, once {@link ratioFrom} bytes have come out. An honest layer rarely passes 20. */
  readonly ratio: number;
  readonly ratioFrom: number;
}

export const defaultDecompressionLimits: DecompressionLimits = {
  bytes: 64 * 2 ** 30,
  ratio: 200,
  ratioFrom: 256 * 2 ** 20,
};

/** Tells the form of a stream by its first bytes (RFC 1952; RFC 8878), whatever its name says. */
export function detectCompression(start: Uint8Array): LayerCompression {
  if (start[0] === 0x1f && start[1] === 0x8b) return 'gzip';
  return start[0] === 0x28 && start[1] === 0xb5 && start[2] === 0x2f && start[3] === 0xfd ? 'zstd' : 'none';
}

/**
 * Unwraps a stream, in bounded memory.
 *
 * @throws HakoError `HAKO_ERR_INVALID_ARCHIVE` when it is damaged or cut short; `HAKO_ERR_ARCHIVE_LIMIT_EXCEEDED` for a
 * bomb; `HAKO_ERR_HOST_UNSUPPORTED` for zstd in a Node.js that cannot read it.
 */
export async function* decompress(
  content: AsyncIterable<Uint8Array>,
  compression: LayerCompression,
  limits: DecompressionLimits,
  options: OperationOptions = {},
): AsyncGenerator<Uint8Array> {
  let compressed = 0;
  let plain = 0;
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of content) {
      compressed += chunk.byteLength;
      yield chunk;
    }
  };
  for await (const chunk of compression === 'none' ? counted() : unwrap(counted(), compression)) {
    options.signal?.throwIfAborted();
    plain += chunk.byteLength;
    if (plain > limits.bytes)
      throw new HakoError(
        'ARCHIVE_LIMIT_EXCEEDED',
        `The archive unpacks to more than ${limits.bytes} bytes. Raise the limit if you trust it.`,
      );
    if (plain > limits.ratioFrom && plain > limits.ratio * compressed) {
      throw new HakoError(
        'ARCHIVE_LIMIT_EXCEEDED',
        `The archive unpacks to over ${limits.ratio} times its size, as a decompression bomb does. Raise the limit if you trust it.`,
      );
    }
    yield chunk;
  }
}

async function* unwrap(content: AsyncIterable<Uint8Array>, compression: 'gzip' | 'zstd'): AsyncGenerator<Uint8Array> {
  let failure: unknown;
  const guarded = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* content;
    } catch (error) {
      failure = error;
      throw error;
    }
  };
  const decoder = compression === 'gzip' ? zlib.createGunzip({ chunkSize: 1 << 18 }) : zstdDecoder();
  try {
    yield* pipeline(guarded, decoder, () => undefined);
  } catch (cause) {
    // What failed may have been the content's own source; then that is what the caller must hear of.
    if (failure !== undefined) throw failure;
    throw new HakoError(
      'INVALID_ARCHIVE',
      `The ${compression} stream is damaged or cut short (${cause instanceof Error ? cause.message : String(cause)}). Fetch it again.`,
      { cause },
    );
  }
}

function zstdDecoder(): zlib.ZstdDecompress {
  if (typeof zlib.createZstdDecompress !== 'function') {
    throw new HakoError(
      'HOST_UNSUPPORTED',
      `The layer is compressed with zstd, which Node.js ${process.version} cannot read. Use Node.js 22.15 or later.`,
    );
  }
  return zlib.createZstdDecompress({ chunkSize: 1 << 18 });
}
