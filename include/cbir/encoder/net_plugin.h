/* The C boundary between the encoder module and the plug-in with the networks (libcbir_nets.so), which links LibTorch:
 * 400 ms and some 280 shared libraries that only a program that encodes must pay for. The plug-in knows no files and no
 * options: it gets the preset as JSON text and the parameters as named tensors in memory.
 * The plug-in exports one function, cbir_net_plugin. Strings are UTF-8; nothing crosses the boundary by exception. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CBIR_NET_ABI 1u

typedef struct cbir_net_tensor {
  const char* name;
  const char*
      type; /* "float32", "float16", "bfloat16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool" */
  const int64_t* shape;
  size_t dims;
  const void* data; /* dense, C order; valid during create() only */
} cbir_net_tensor;

typedef struct cbir_net cbir_net;

typedef struct cbir_net_info {
  uint32_t dim;           /* numbers in an embedding */
  uint32_t width, height; /* of the input */
} cbir_net_info;

typedef struct cbir_net_api {
  uint32_t abi; /* CBIR_NET_ABI */

  /* Builds the network that the preset names. Returns 0, or an exit code of cbir::ExitCode with the reason in
   * `message`. */
  int (*create)(const char* preset_json, const cbir_net_tensor* tensors, size_t count, cbir_net** net, char* message,
                size_t message_size);

  void (*describe)(const cbir_net* net, cbir_net_info* info);

  /* Runs `count` pictures of width x height, 8-bit RGB interleaved, into `out` (count x dim, not normalised).
   * Thread-safe; computes on the calling thread alone. */
  int (*encode)(const cbir_net* net, const uint8_t* pictures, size_t count, float* out, char* message,
                size_t message_size);

  void (*destroy)(cbir_net* net);
} cbir_net_api;

const cbir_net_api* cbir_net_plugin(void);

#ifdef __cplusplus
}
#endif
