#pragma once
/// With AddressSanitizer everything takes five to twenty times as long: the longest tests try fewer cases then.

#ifdef __SANITIZE_ADDRESS__
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
