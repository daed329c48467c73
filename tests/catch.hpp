#pragma once
/// Catch2 of Debian 12 (version 2) and of Debian 13 (version 3), under version 3's names. Tests use the matchers below
/// unqualified: Contains of version 3 looks for an element, not for a piece of text.

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
#else
#include <catch2/catch.hpp>
inline auto ContainsSubstring(const std::string& text) { return Catch::Matchers::Contains(text); }
#endif
using Catch::Matchers::EndsWith;
using Catch::Matchers::StartsWith;
