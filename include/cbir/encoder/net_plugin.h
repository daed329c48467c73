/* The C boundary between the encoder module and the plug-ins with the networks: libcbir_nets.so, which links LibTorch
 * (400 ms and some 280 shared libraries that only a program that encodes must pay for), and libcbir_onnx.so, which runs any
 * .onnx file by OpenCV's dnn. A plug-in opens no files: it gets the preset as JSON text and the weights in memory.
 * It exports one function, cbir_net_plugin. Strings are UTF-8; nothing crosses the boundary by exception. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CBIR_NET_ABI 2u

typedef struct cbir_net_tensor {
  const char* name;
  const char*
      type; /* "float32", "float16", "bfloat16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool" */
  const int64_t* shape;
  size_t dims;
  const void* data; /* dense, C order; valid during create() only */
} cbir_net_tensor;

typedef struct cbir_net cbir_net;

typedef struct cbir_net_source {
  const char* preset_json;
  const char* precision;          /* "float32", "bfloat16", "auto" */
  const char* device;             /* "cpu", "cuda", "auto" */
  const cbir_net_tensor* tensors; /* of the checkpoint; none for network "onnx" */
  size_t tensor_count;
  const void* file; /* the weights file itself; valid during create() only */
  size_t file_size;
} cbir_net_source;

typedef struct cbir_net_info {
  uint32_t dim;           /* numbers in an embedding */
  uint32_t width, height; /* of the input; 0: any */
  uint32_t independent;   /* 1: what a picture becomes does not depend on the others of a call, nor on their number */
  uint32_t context;       /* tokens in a text; 0: the network reads none */
  uint32_t vocabulary;    /* tokens there are */
  const char* precision;  /* what it came to: "float32", "bfloat16" */
  const char* device;     /* "cpu", "cuda" */
} cbir_net_info;

typedef struct cbir_net_picture {
  const uint8_t* pixels; /* 8-bit RGB, interleaved */
  uint32_t width, height;
} cbir_net_picture;

typedef struct cbir_net_api {
  uint32_t abi; /* CBIR_NET_ABI */

  /* Builds the network that the preset names. Returns 0, or an exit code of cbir::ExitCode with the reason in
   * `message`. */
  int (*create)(const cbir_net_source* source, cbir_net** net, char* message, size_t message_size);

  void (*describe)(const cbir_net* net, cbir_net_info* info);

  /* Runs `count` pictures into `out` (count x dim; at the end not normalised). If the network is not independent,
   * neighbours of one size may be run together. Thread-safe; computes on the calling thread alone, or on the GPU. */
  int (*encode)(const cbir_net* net, const cbir_net_picture* pictures, size_t count, float* out, char* message,
                size_t message_size);

  /* The same for texts: count x context tokens. */
  int (*encode_text)(const cbir_net* net, const int32_t* tokens, size_t count, float* out, char* message,
                     size_t message_size);

  void (*destroy)(cbir_net* net);
} cbir_net_api;

const cbir_net_api* cbir_net_plugin(void);

#ifdef __cplusplus
}
#endif
