#include <cbir/doctor/doctor.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <unordered_set>

#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>

namespace cbir {
namespace {

/// File systems take 255 bytes; this leaves room for attacks and number.
constexpr std::size_t kLongestBase = 150;

/// The last two components of a path, or one: what identifies a picture wherever its folder lies.
std::string identity(const std::string& path) {
  const std::string parent = base_name(parent_path(path));
  const bool nameless = parent.empty() || parent == "." || parent == "..";
  return nameless ? base_name(path) : parent + "/" + base_name(path);
}

std::uint64_t hash_of(std::uint64_t seed, std::string_view identity, std::string_view purpose) {
  return xxh3_64(as_bytes(fmt::format("{}\n{}\n{}", seed, purpose, identity)));
}

/// For each picture of the list whether it is drawn. Those with the smallest hashes are, so that a picture's chance
/// does not depend on what else is in the list.
std::vector<bool> draw(const std::vector<std::string>& paths, std::uint64_t count, std::uint64_t seed,
                       std::string_view purpose) {
  std::vector<std::pair<std::uint64_t, std::size_t>> order;
  for (std::size_t i = 0; i < paths.size(); ++i) order.emplace_back(hash_of(seed, identity(paths[i]), purpose), i);
  std::ranges::sort(order);
  if (count < order.size()) order.resize(count);
  std::vector<bool> drawn(paths.size());
  for (const auto& [hash, i] : order) drawn[i] = true;
  return drawn;
}

/// Which pictures become what, in the order of the list.
struct Roles {
  std::vector<std::string> originals;  ///< to doctor
  std::vector<std::string> distractors;
  std::vector<std::string> database;  ///< to index; all that are no distractors
};

Roles assign_roles(const std::vector<std::string>& paths, const DoctorOptions& options) {
  Roles roles;
  roles.distractors = options.distractors;
  if (options.drawn_distractors == 0) {
    roles.database = paths;
  } else {
    const std::vector<bool> left_out = draw(paths, options.drawn_distractors, options.seed, "distractor");
    for (std::size_t i = 0; i < paths.size(); ++i)
      (left_out[i] ? roles.distractors : roles.database).push_back(paths[i]);
    if (roles.database.empty())
      throw UsageError(fmt::format("{} distractors of {}: no picture is left to be found", options.drawn_distractors,
                                   counted(paths.size(), "picture")));
  }
  const std::set<std::string_view> others(roles.distractors.begin(), roles.distractors.end());
  for (const std::string& path : roles.database)
    if (others.contains(path))
      throw UsageError(
          fmt::format("{}: is among the pictures to doctor, and among the distractors, which must not be "
                      "in the index; give other folders",
                      display_path(path)));
  if (options.count == 0) {
    roles.originals = roles.database;
  } else {
    const std::vector<bool> chosen = draw(roles.database, options.count, options.seed, "choice");
    for (std::size_t i = 0; i < chosen.size(); ++i)
      if (chosen[i]) roles.originals.push_back(roles.database[i]);
  }
  return roles;
}

struct PlannedCopy {
  std::string name;  ///< below the output folder
  const AttackChain* attack = nullptr;
};

struct PlannedPicture {
  std::string path;
  bool distractor = false;
  std::vector<PlannedCopy> copies;
};

/// Names that no two copies share.
class Names {
 public:
  std::string take(const std::string& path, const AttackChain& attack) {
    std::string stem = identity(path);
    if (const std::size_t base = base_name(stem).size(); base > kLongestBase)
      stem = fmt::format("{}~{:016x}", stem.substr(0, stem.size() - base + kLongestBase), xxh3_64(as_bytes(stem)));
    std::string attacks = attack.name();
    std::ranges::replace(attacks, ':', '-');
    for (unsigned number = 1;; ++number) {
      std::string name =
          number == 1 ? fmt::format("{}.{}.jpg", stem, attacks) : fmt::format("{}~{}.{}.jpg", stem, number, attacks);
      if (taken_.insert(name).second) return name;
    }
  }

 private:
  std::unordered_set<std::string> taken_{"manifest.tsv"};
};

std::vector<PlannedPicture> plan(const Roles& roles, const DoctorOptions& options) {
  std::vector<PlannedPicture> pictures;
  Names names;
  const auto add = [&](const std::vector<std::string>& paths, bool distractor) {
    std::size_t turn = 0;
    for (const std::string& path : paths) {
      PlannedPicture& picture = pictures.emplace_back(PlannedPicture{path, distractor, {}});
      const auto take = [&](const AttackChain& attack) {
        picture.copies.push_back({names.take(path, attack), &attack});
      };
      if (options.every_attack) std::ranges::for_each(options.attacks, take);
      else take(options.attacks[turn++ % options.attacks.size()]);
    }
  };
  add(roles.originals, false);
  add(roles.distractors, true);
  return pictures;
}

constexpr const char* kManifest = "/manifest.tsv";
constexpr const char* kDatabase = "/database.txt";

void check_nothing_exists(const std::vector<PlannedPicture>& pictures, const std::string& folder) {
  const auto check = [](const std::string& path) {
    if (exists(path)) throw OutputError(fmt::format("{}: exists already; --force replaces it", display_path(path)));
  };
  check(folder + kManifest);
  if (std::ranges::any_of(pictures, &PlannedPicture::distractor)) check(folder + kDatabase);
  for (const PlannedPicture& picture : pictures)
    for (const PlannedCopy& copy : picture.copies) check(folder + "/" + copy.name);
}

/// Makes the copies of one picture; returns a message if it could not be read.
std::optional<std::string> make_copies(const PlannedPicture& picture, const DoctorOptions& options) {
  std::vector<std::byte> original;
  try {
    original = read_file(picture.path);
  } catch (const MissingInput& error) {
    return error.what();
  }
  std::vector<std::vector<std::byte>> files;
  try {
    const Image image = decode_image(original);
    for (const PlannedCopy& copy : picture.copies) {
      Random random(hash_of(options.seed, identity(picture.path), copy.attack->name()));
      files.push_back(doctor_image(image, *copy.attack, options.quality, random));
    }
  } catch (const ImageError& error) {
    return fmt::format("{}: {}", display_path(picture.path), error.what());
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::string path = options.output + "/" + picture.copies[i].name;
    make_directories(parent_path(path));
    OutputFile file(path, options.force);
    file.write(files[i]);
    file.commit();
  }
  return std::nullopt;
}

/// Copies that the manifest of an earlier run names, and that are still there.
std::set<std::string> earlier_copies(const std::string& folder) {
  std::set<std::string> copies;
  if (!exists(folder + kManifest)) return copies;
  const std::string text = read_text(folder + kManifest);
  for (const std::string_view line : split(text, '\n')) {
    const std::string copy = tsv_unescape(line.substr(0, line.find('\t')));
    if (!copy.empty() && exists(folder + "/" + copy)) copies.insert(copy);
  }
  return copies;
}

/// The pictures to index, for `cbir-extract --files-from`.
std::string list_lines(const std::vector<std::string>& paths) {
  std::string text;
  for (const std::string& path : paths) {
    if (path.find('\n') != std::string::npos)
      throw UsageError(
          fmt::format("{}: a newline in a name does not fit a list of lines, as database.txt is one; "
                      "rename it, or make copies without distractors",
                      display_path(path)));
    text += path + '\n';
  }
  return text;
}

}  // namespace

DoctorReport doctor(const std::vector<std::string>& paths, const DoctorOptions& options) {
  if (options.attacks.empty()) throw UsageError("no attacks given");
  if (options.quality < 1 || options.quality > 100)
    throw UsageError(fmt::format("quality {}: expected 1 to 100", options.quality));
  if (paths.empty()) throw MissingInput("no pictures to doctor");

  const Roles roles = assign_roles(paths, options);
  const std::vector<PlannedPicture> pictures = plan(roles, options);
  const std::string database = roles.distractors.empty() ? "" : list_lines(roles.database);
  if (!options.force) check_nothing_exists(pictures, options.output);
  std::set<std::string> earlier = earlier_copies(options.output);

  std::vector<std::optional<std::string>> failures(pictures.size());
  parallel_blocks(pictures.size(), 1,
                  [&](std::size_t i, std::size_t) { failures[i] = make_copies(pictures[i], options); });

  DoctorReport report;
  std::string manifest;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const PlannedPicture& picture = pictures[i];
    if (failures[i]) {
      report.failed.push_back(*failures[i]);
      continue;
    }
    ++report.pictures;
    report.copies += picture.copies.size();
    if (picture.distractor) report.distractors += picture.copies.size();
    for (const PlannedCopy& copy : picture.copies) {
      earlier.erase(copy.name);
      manifest += fmt::format("{}\t{}\t{}\t{}\n", tsv_escape(copy.name),
                              picture.distractor ? "" : tsv_escape(picture.path), copy.attack->name(), options.seed);
    }
  }
  if (report.copies == report.distractors)
    throw MissingInput(
        fmt::format("{}; none of {} could be read", report.failed.front(), counted(roles.originals.size(), "picture")));
  if (!database.empty()) write_file(options.output + kDatabase, database, options.force);
  write_file(options.output + kManifest, manifest, options.force);
  report.stale = earlier.size();
  return report;
}

}  // namespace cbir
