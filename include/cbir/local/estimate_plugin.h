/* The C boundary between the local module and libcbir_vision.so for robust estimation: which geometric model many of
 * the matches of two pictures agree on. Nothing crosses the boundary by exception. The plug-in exports one function,
 * cbir_estimate_plugin. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CBIR_ESTIMATE_ABI 1u

/* As cbir::GeometricModel. */
typedef enum cbir_estimate_model {
  CBIR_ESTIMATE_AFFINE = 0,
  CBIR_ESTIMATE_HOMOGRAPHY = 1,
  CBIR_ESTIMATE_FUNDAMENTAL = 2
} cbir_estimate_model;

typedef struct cbir_estimate_request {
  uint32_t model;
  const float* a; /* count x (x, y), the most trusted first */
  const float* b;
  size_t count;
  double threshold; /* pixels that a point of the model may be off in the second picture */
  uint64_t seed;
} cbir_estimate_request;

typedef struct cbir_estimate_result {
  uint32_t found;      /* 0: no model */
  double transform[9]; /* from a to b, row by row: x_b ~ H x_a, or x_b' F x_a = 0 */
} cbir_estimate_result;

typedef struct cbir_estimate_api {
  uint32_t abi; /* CBIR_ESTIMATE_ABI */

  /* Returns 0, or an exit code of cbir::ExitCode with the reason in `message`. The same request has the same result.
   * Thread-safe; computes on the calling thread alone. Too few points, or points that decide nothing, are no error. */
  int (*estimate)(const cbir_estimate_request* request, cbir_estimate_result* result, char* message,
                  size_t message_size);
} cbir_estimate_api;

const cbir_estimate_api* cbir_estimate_plugin(void);

#ifdef __cplusplus
}
#endif
