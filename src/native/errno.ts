/** The kernel's error names in the order of their numbers from 1, the same on x64 and arm64 (asm-generic/errno.h); `-`: none. */
const names = `
  EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY EEXIST
  EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE
  EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP - ENOMSG EIDRM ECHRNG EL2NSYNC EL3HLT EL3RST ELNRNG EUNATCH
  ENOCSI EL2HLT EBADE EBADR EXFULL ENOANO EBADRQC EBADSLT - EBFONT ENOSTR ENODATA ETIME ENOSR ENONET ENOPKG EREMOTE
  ENOLINK EADV ESRMNT ECOMM EPROTO EMULTIHOP EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ EBADFD EREMCHG ELIBACC ELIBBAD
  ELIBSCN ELIBMAX ELIBEXEC EILSEQ ERESTART ESTRPIPE EUSERS ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT
  EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH
  ENETRESET ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT ECONNREFUSED EHOSTDOWN
  EHOSTUNREACH EALREADY EINPROGRESS ESTALE EUCLEAN ENOTNAM ENAVAIL EISNAM EREMOTEIO EDQUOT ENOMEDIUM EMEDIUMTYPE
  ECANCELED ENOKEY EKEYEXPIRED EKEYREVOKED EKEYREJECTED EOWNERDEAD ENOTRECOVERABLE ERFKILL EHWPOISON
`
  .trim()
  .split(/\s+/);

const numbers: ReadonlyMap<string, number> = new Map(
  names.flatMap((name, index) => (name === '-' ? [] : [[name, index + 1]])),
);

/** `ENOENT` for 2. A number that has no name is shown as it is. */
export function errnoName(number: number): string {
  const name = names[number - 1];
  return name === undefined || name === '-' ? `errno ${number}` : name;
}

/** 2 for `ENOENT`; undefined for what is not a name of the kernel's. */
export function errnoNumber(name: string): number | undefined {
  return numbers.get(name);
}

const words: Readonly<Record<string, string>> = {
  EPERM: 'not permitted',
  ENOENT: 'it does not exist',
  ESRCH: 'there is no such process',
  EIO: 'input/output error',
  E2BIG: 'too much of it',
  ENOEXEC: 'not a program that this machine can run',
  EBADF: 'the descriptor is not open',
  EAGAIN: 'no more of them are allowed now',
  ENOMEM: 'out of memory',
  EACCES: 'access is denied',
  EBUSY: 'it is in use',
  EEXIST: 'it exists already',
  EXDEV: 'it is on another filesystem',
  ENODEV: 'the kernel does not have it',
  ENOTDIR: 'not a directory',
  EISDIR: 'a directory',
  EINVAL: 'the kernel does not accept it',
  ENFILE: 'too many open files on this machine',
  EMFILE: 'too many open files',
  ETXTBSY: 'it is being written to',
  EFBIG: 'too large',
  ENOSPC: 'no room is left',
  EROFS: 'the filesystem is read-only',
  ENAMETOOLONG: 'the name is too long',
  ENOSYS: 'the kernel does not have this call',
  ENOTEMPTY: 'the directory is not empty',
  ELOOP: 'too many symbolic links, or one where none may be',
  ENODATA: 'it has none',
  EOPNOTSUPP: 'not supported there',
  EDQUOT: 'the disk quota is used up',
};

/** What an error means, as the middle of a sentence, with its name: `it does not exist (ENOENT)`. */
export function describeErrno(name: string): string {
  const text = words[name];
  return text === undefined ? name : `${text} (${name})`;
}
