import { z } from 'zod';

/** They say how a message ends, which is not the caller's to say of a GET without a body. */
const ownHeaders = new Set(['connection', 'content-length', 'expect', 'transfer-encoding', 'upgrade']);

/** RFC 9110, 5.1 and 5.5. */
const headerName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const headerValue = /^[\t\x20-\x7e\x80-\xff]*$/;

const mostHeaderBytes = 16_384;

const status = z.int().min(100).max(599);

/** A GET to a port of the container, made from the host. */
export const httpOption = z.strictObject({
  /** Of the loopback addresses in the container's network namespace. */
  port: z.int().min(1).max(65_535),
  /** With its query; default `/`. */
  path: z
    .string()
    .max(4096)
    .regex(/^\/[\x21-\x7e]*$/, "write a path such as '/healthz', with anything but ASCII percent-encoded")
    .default('/'),
  /** One status, or the lowest and the highest that are healthy; default `[200, 399]`. */
  status: z
    .union([
      status.transform((one): readonly [number, number] => [one, one]),
      z
        .tuple([status, status])
        .readonly()
        .refine(([lowest, highest]) => lowest <= highest, 'write the lower status first'),
    ])
    .default([200, 399]),
  /** Sent with the request; `host` is `localhost` with the port unless it is given. */
  headers: z
    .record(z.string(), z.string())
    .refine(
      (headers) => Object.entries(headers).every(([name, value]) => isHeader(name, value)),
      'write names and values as HTTP has them, without those that say how the message ends',
    )
    .refine(
      (headers) => Object.entries(headers).flat().join('').length <= mostHeaderBytes,
      `write at most ${mostHeaderBytes} bytes`,
    )
    .default({}),
});

export type HttpCheck = z.output<typeof httpOption>;

function isHeader(name: string, value: string): boolean {
  return headerName.test(name) && headerValue.test(value) && !ownHeaders.has(name.toLowerCase());
}
