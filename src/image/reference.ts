import { type Digest, isDigest } from '../base/digest.ts';
import { HakoError } from '../base/errors.ts';

/**
 * The name of an image, in full: `docker.io/library/nginx:1.29`. Parsed and completed as Docker does.
 *
 * @public
 */
export interface ImageReference {
  /** The registry: `docker.io`, `ghcr.io`, `localhost:5000`. */
  readonly domain: string;
  /** `library/nginx`. */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

const maxNameLength = 255;
const domainName =
  /^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$/;
const pathComponent = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/**
 * Parses what users write (`nginx`, `ghcr.io/a/b:1`, `x@sha256:…`) and completes it: the registry `docker.io`, its
 * `library/`, and the tag `latest` when there is neither tag nor digest.
 *
 * @throws HakoError `HAKO_ERR_INVALID_REFERENCE` saying which part is wrong.
 */
export function parseReference(text: string): ImageReference {
  if (text.length > 1024) throw invalid(text, 'it is longer than 1024 characters');
  const { name, tag, digest } = splitReference(text);
  const { domain, repository } = splitName(name);
  if (name === '') throw invalid(text, 'it has no name');
  if (/^[a-f0-9]{64}$/.test(name)) throw invalid(text, 'a name of 64 hex digits would be taken for an image ID');
  if (!domainName.test(domain)) throw invalid(text, `'${domain}' is not a registry's host name`);
  for (const component of repository.split('/')) {
    if (!pathComponent.test(component))
      throw invalid(
        text,
        `'${component}' may have lower-case letters and digits only, with single '.', '_', '__' or dashes between them`,
      );
  }
  if (domain.length + 1 + repository.length > maxNameLength)
    throw invalid(text, `the name is longer than ${maxNameLength} characters`);
  if (tag !== undefined && !tagPattern.test(tag))
    throw invalid(text, `'${tag}' is not a tag: up to 128 letters, digits, '_', '.' and '-'`);
  if (digest !== undefined && !isDigest(digest)) throw invalid(text, `'${digest}' is not a sha256 digest`);
  const effectiveTag = tag ?? (digest === undefined ? 'latest' : undefined);
  return {
    domain,
    repository,
    ...(effectiveTag === undefined ? {} : { tag: effectiveTag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** The full form, which is what is stored and compared. */
export function formatReference({ domain, repository, tag, digest }: ImageReference): string {
  return `${domain}/${repository}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

/** The short form that users know: `nginx:1.29` for `docker.io/library/nginx:1.29`. It always parses back to the same reference. */
export function familiarReference(reference: ImageReference): string {
  const full = formatReference(reference);
  const short = full.replace(/^docker\.io\/(?:library\/(?=[^/]+$))?/, '');
  // `docker.io/localhost/x` must keep its registry: `localhost/x` is another one.
  return short === full || !meansTheSame(short, full) ? full : short;
}

function meansTheSame(short: string, full: string): boolean {
  try {
    return normalizeReference(short) === full;
  } catch (error) {
    if (error instanceof HakoError) return false;
    throw error;
  }
}

/** `parseReference`, then `formatReference`. */
export function normalizeReference(text: string): string {
  return formatReference(parseReference(text));
}

function splitReference(text: string): { name: string; tag: string | undefined; digest: string | undefined } {
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const beforeDigest = at < 0 ? text : text.slice(0, at);
  const colon = beforeDigest.lastIndexOf(':');
  // A colon before a slash belongs to the registry's port.
  if (colon < 0 || beforeDigest.includes('/', colon)) return { name: beforeDigest, tag: undefined, digest };
  return { name: beforeDigest.slice(0, colon), tag: beforeDigest.slice(colon + 1), digest };
}

/** The first component is a registry when it looks like a host: a dot, a port, an upper-case letter, or `localhost`. */
function splitName(name: string): { domain: string; repository: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(slash, 0));
  const isHost = slash > 0 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  const domain = isHost ? (first === 'index.docker.io' ? 'docker.io' : first) : 'docker.io';
  const repository = isHost ? name.slice(slash + 1) : name;
  return {
    domain,
    repository: domain === 'docker.io' && !repository.includes('/') ? `library/${repository}` : repository,
  };
}

function invalid(text: string, reason: string): HakoError {
  return new HakoError(
    'INVALID_REFERENCE',
    `'${text.slice(0, 200)}' is not an image reference: ${reason}. Write it like 'nginx:1.29' or 'ghcr.io/owner/name@sha256:…'.`,
  );
}
