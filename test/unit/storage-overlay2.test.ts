import { overlay2 } from 'libhako/plugins/storage/overlay2';
import { describe, expect, it } from 'vitest';
import { overlayMount } from '../../plugins/storage/overlay2/mounts.ts';

const upper = { diff: '/r/k/diff', work: '/r/k/work' };

describe('the mount of a stack', () => {
  it('names each lower directory, the highest first, and says what distributions differ in', () => {
    expect(overlayMount({ lower: ['/r/b/diff', '/r/a:1/diff'], upper, userxattr: false, mountOptions: [] })).toEqual({
      type: 'overlay',
      source: 'overlay',
      options: [
        'lowerdir+=/r/b/diff',
        'lowerdir+=/r/a:1/diff',
        'upperdir=/r/k/diff',
        'workdir=/r/k/work',
        'index=off',
        'metacopy=off',
        'redirect_dir=nofollow',
      ],
    });
  });

  it('lets options stand in place of the defaults', () => {
    const { options } = overlayMount({
      lower: ['/a', '/b'],
      upper,
      userxattr: true,
      mountOptions: ['metacopy=on', 'volatile'],
    });
    expect(options.slice(-5)).toEqual(['userxattr', 'index=off', 'redirect_dir=nofollow', 'metacopy=on', 'volatile']);
  });

  it('is a bind where there is one directory only', () => {
    expect(overlayMount({ lower: [], upper, userxattr: true, mountOptions: [] })).toEqual({
      type: 'bind',
      source: '/r/k/diff',
      options: ['rbind', 'rw'],
    });
    expect(overlayMount({ lower: ['/a'], upper: null, userxattr: false, mountOptions: [] })).toEqual({
      type: 'bind',
      source: '/a',
      options: ['rbind', 'ro'],
    });
    expect(overlayMount({ lower: ['/a', '/b'], upper: null, userxattr: false, mountOptions: [] }).options).toContain(
      'ro',
    );
  });
});

describe('the options of overlay2', () => {
  it.each([{}, { mountOptions: ['metacopy=on', 'volatile', 'xino=off'] }, { userxattr: true }])(
    'may be %j',
    (options) => {
      expect(overlay2(options)).toEqual({ kind: 'storage', driver: 'overlay2', options });
    },
  );

  it.each([
    [{ mountOptions: ['lowerdir=/'] }, /driver itself/],
    [{ mountOptions: ['lowerdir+=/etc'] }, /option of overlayfs|driver itself/],
    [{ mountOptions: ['upperdir=x'] }, /driver itself/],
    [{ mountOptions: ['workdir=x'] }, /driver itself/],
    [{ mountOptions: ['a=b,lowerdir=x'] }, /option of overlayfs/],
    [{ mountOptions: ['index=on\nx'] }, /option of overlayfs/],
    [{ mountOptions: [''] }, /option of overlayfs/],
    [{ size: '10G' }, /unknown option 'size'.* \(known: mountOptions, userxattr\)/],
  ])('may not be %j', (options, sentence) => {
    expect(() => overlay2(options as never)).toThrow(sentence);
  });
});
