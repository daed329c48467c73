#pragma once
/// Catch2 of Debian 12 (version 2) and of Debian 13 (version 3).

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif
