import { native } from './native-binding.ts';

// Run by addon.test.ts as somebody else; prints what the probe found.

console.log(JSON.stringify(await native.probe()));
