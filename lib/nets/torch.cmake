# Finds LibTorch: sets TORCH_LIBRARIES and TORCH_INCLUDE_DIRS.
#
# The package files of a LibTorch with CUDA ask for the whole CUDA toolkit, of which nothing here needs more than what
# LibTorch's own libraries bring along: the one inside a pip wheel (-DCMAKE_PREFIX_PATH=.../site-packages/torch) is
# linked directly where there is no toolkit.
find_library(CBIR_TORCH_CUDA torch_cuda PATHS ${CMAKE_PREFIX_PATH} PATH_SUFFIXES lib NO_DEFAULT_PATH)
find_package(CUDAToolkit QUIET)
if(CBIR_TORCH_CUDA AND NOT CUDAToolkit_FOUND)
  get_filename_component(torch_folder ${CBIR_TORCH_CUDA} DIRECTORY)
  get_filename_component(torch_root ${torch_folder} DIRECTORY)
  set(TORCH_INCLUDE_DIRS ${torch_root}/include ${torch_root}/include/torch/csrc/api/include)
  set(TORCH_LIBRARIES)
  foreach(name torch torch_cpu c10)  # torch brings torch_cuda along
    find_library(CBIR_LIB${name} ${name} PATHS ${torch_folder} NO_DEFAULT_PATH REQUIRED)
    list(APPEND TORCH_LIBRARIES ${CBIR_LIB${name}})
  endforeach()
  # What those need in turn lies in folders that they know and the linker does not.
  list(APPEND TORCH_LIBRARIES -Wl,--allow-shlib-undefined)
  message(STATUS "LibTorch with CUDA in ${torch_root}, linked without a CUDA toolkit")
else()
  find_package(Torch REQUIRED)
endif()
