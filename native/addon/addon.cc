// SPDX-License-Identifier: Apache-2.0
//
// hako.node: the system calls of src/contracts/native-binding.ts and nothing
// but. Which to make, when, and what to say of a failure is TypeScript's matter.
#include "environment.h"
#include "napi_support.h"

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new hako::Environment());
  hako::RegisterFiles(exports);
  hako::RegisterIdmap(exports);
  hako::RegisterKernelFiles(exports);
  hako::RegisterMemfd(exports);
  hako::RegisterMount(exports);
  hako::RegisterProbe(exports);
  hako::RegisterProcess(exports);
  hako::RegisterQuota(exports);
  hako::RegisterSeccomp(exports);
  hako::RegisterSpawn(exports);
  return exports;
}

NODE_API_MODULE(hako, Init)
