/* The C boundary between the detect module and the plug-ins that run detectors: libcbir_nets.so (YOLOv5 by LibTorch)
 * and libcbir_onnx.so (any .onnx file by OpenCV's dnn). As with encoder/net_plugin.h a plug-in opens no files, and
 * nothing crosses the boundary by exception. It exports one function, cbir_detect_plugin. Scaling pictures, and
 * choosing among boxes that overlap, is the detect module's. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <cbir/encoder/net_plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CBIR_DETECT_ABI 1u

typedef struct cbir_detector cbir_detector;

typedef struct cbir_detector_info {
  uint32_t classes;
  uint32_t stride;        /* sides of a picture are multiples of it */
  uint32_t width, height; /* of the only pictures that it takes; 0: any */
  const char* names;      /* of the classes, as the file says them: a JSON list of strings; empty if it does not.
                             Valid as long as the detector */
} cbir_detector_info;

/* What the network sees at one place, in pixels of the picture that it was given, and its likeliest class. */
typedef struct cbir_detect_candidate {
  float x, y, width, height; /* (x, y) is the middle */
  float confidence;
  uint32_t class_id;
} cbir_detect_candidate;

typedef struct cbir_detect_api {
  uint32_t abi; /* CBIR_DETECT_ABI */

  /* Builds the detector out of the tensors, or the file if the preset's network is "onnx". Of the preset only "network"
   * is read. Returns 0, or an exit code of cbir::ExitCode with the reason in `message`. */
  int (*create)(const cbir_net_source* source, cbir_detector** detector, char* message, size_t message_size);
  void (*describe)(const cbir_detector* detector, cbir_detector_info* info);

  /* Calls `sink` once with all candidates above `min_confidence`, in the order of the network's output. Thread-safe;
   * computes on the calling thread alone, or on the GPU. */
  int (*detect)(const cbir_detector* detector, const cbir_net_picture* picture, float min_confidence,
                void (*sink)(void* context, const cbir_detect_candidate* candidates, size_t count), void* context,
                char* message, size_t message_size);
  void (*destroy)(cbir_detector* detector);
} cbir_detect_api;

const cbir_detect_api* cbir_detect_plugin(void);

#ifdef __cplusplus
}
#endif
