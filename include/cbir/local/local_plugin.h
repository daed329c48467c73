/* The C boundary between the local module and its plug-ins: libcbir_nets.so with the extractors XFeat, ALIKED and
 * SuperPoint and the matchers LighterGlue, LightGlue and SuperGlue, and libcbir_vision.so with SIFT and ORB. As with
 * encoder/net_plugin.h a plug-in opens no files, and nothing crosses the boundary by exception. It exports one function,
 * cbir_local_plugin. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <cbir/encoder/net_plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CBIR_LOCAL_ABI 1u

typedef struct cbir_local_keypoint {
  float x, y, size, angle, score; /* as cbir::Keypoint */
} cbir_local_keypoint;

/* Features of one picture: `count` keypoints, count x dim descriptors. Pointers are the caller's, or valid until the
 * sink returns. */
typedef struct cbir_local_features {
  uint32_t width, height; /* of the picture that coordinates are of */
  uint32_t count, dim;
  const cbir_local_keypoint* keypoints;
  const float* descriptors; /* or, if binary: */
  const uint8_t* bits;      /* count x dim bytes */
} cbir_local_features;

typedef struct cbir_local_match {
  uint32_t a, b;
  float score;
} cbir_local_match;

typedef struct cbir_local_extractor cbir_local_extractor;
typedef struct cbir_local_matcher cbir_local_matcher;

typedef struct cbir_local_extractor_info {
  uint32_t dim;
  uint32_t binary; /* 1: descriptors are bits, dim bytes each */
} cbir_local_extractor_info;

typedef struct cbir_local_api {
  uint32_t abi; /* CBIR_LOCAL_ABI */

  /* Builds the network that the preset names (field "network": "xfeat", "aliked", "superpoint", "sift", "orb"). Returns
   * 0, or an exit code of cbir::ExitCode with the reason in `message`. `source->precision` is "float32". */
  int (*create_extractor)(const cbir_net_source* source, cbir_local_extractor** extractor, char* message,
                          size_t message_size);
  void (*describe_extractor)(const cbir_local_extractor* extractor, cbir_local_extractor_info* info);

  /* Finds at most `keypoints` features, the strongest first, and calls `sink` once. Any size from 1 x 1 on.
   * Thread-safe; computes on the calling thread alone. */
  int (*extract)(const cbir_local_extractor* extractor, const cbir_net_picture* picture, uint32_t keypoints,
                 void (*sink)(void* context, const cbir_local_features* features), void* context, char* message,
                 size_t message_size);
  void (*destroy_extractor)(cbir_local_extractor* extractor);

  /* The same for a matcher ("lighterglue", "lightglue", "superglue"). Null in a plug-in that has none. */
  int (*create_matcher)(const cbir_net_source* source, cbir_local_matcher** matcher, char* message,
                        size_t message_size);
  int (*match)(const cbir_local_matcher* matcher, const cbir_local_features* a, const cbir_local_features* b,
               void (*sink)(void* context, const cbir_local_match* matches, size_t count), void* context, char* message,
               size_t message_size);
  void (*destroy_matcher)(cbir_local_matcher* matcher);
} cbir_local_api;

const cbir_local_api* cbir_local_plugin(void);

#ifdef __cplusplus
}
#endif
