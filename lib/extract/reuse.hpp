#pragma once
/// What a run takes over from earlier ones: rows and failures of files that are what they were, and vectors of content
/// that was met before.

#include <cstdint>
#include <optional>
#include <vector>

#include <cbir/extract/extract.hpp>

#include "previous.hpp"

namespace cbir {

class Reuse {
 public:
  /// An item of one of the sources.
  struct Place {
    std::uint32_t source = 0, item = 0;

    bool operator==(const Place&) const = default;
  };

  /// Looks at every listed file, in parallel; reads those whose content must decide. Of several sources the first that
  /// knows an item counts. Listing, options and sources must outlive it.
  Reuse(const Listing& listing, const ExtractOptions& options, std::vector<const Previous*> sources);

  /// ExtractOptions::stop was heard: nothing here is complete.
  bool stopped() const noexcept { return stopped_; }

  /// Where the result of a listed item is, if it stays as it is.
  std::optional<Place> kept(std::size_t number) const;
  /// The file of a kept item, as it is now.
  const Stamp& stamp(std::size_t number) const { return verdicts_[number].stamp; }
  /// A row of this content.
  std::optional<Place> find(const Content& content) const;

  const Previous& source(const Place& place) const { return *sources_[place.source]; }

  /// Whether the list's result is all that of the first source, item by item.
  bool is_all_of_first() const;
  /// Whether a stamp of the first source is out of date.
  bool has_new_stamps() const;

 private:
  struct Verdict {
    Stamp stamp;
    Place place;
    bool kept = false;
  };

  Verdict judge(std::size_t number) const;
  std::optional<std::size_t> find(const Previous& source, const ListedFile& listed, std::size_t number) const;
  bool keeps_row(const Previous& source, std::size_t item, const ListedFile& listed, Stamp& now) const;
  bool keeps_failure(const Previous& source, std::size_t item, const ListedFile& listed, Stamp& now) const;

  const Listing& listing_;
  const ExtractOptions& options_;
  std::vector<const Previous*> sources_;
  std::vector<Verdict> verdicts_;
  bool stopped_ = false;
};

}  // namespace cbir
