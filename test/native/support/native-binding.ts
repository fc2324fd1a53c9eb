import { loadNativeBinding } from '../../../src/native/binding.ts';
import { locateNative } from '../../../src/native/loader.ts';

/** The addon as it was built (HAKO_NATIVE_DIR names another, such as the sanitized one). */
export const native = loadNativeBinding(locateNative());
