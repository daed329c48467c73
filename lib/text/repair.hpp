#pragma once
/// ftfy's fix_text, version 6.3, without the repair of text that was decoded by the wrong encoding.

#include <unicode/unistr.h>

namespace cbir::text {

/// Resolves terminated HTML references, up to the first line with a '<'; shows C1 controls as Windows-1252 does; takes
/// ligatures and other widths apart, straightens quotes; removes terminal escapes and controls; NFC. Repeated until
/// nothing changes; throws ResourceLimit if that takes more than 32 rounds.
icu::UnicodeString repair(const icu::UnicodeString& text);

}  // namespace cbir::text
