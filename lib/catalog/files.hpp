#pragma once
/// Files of a catalogue's folder.

#include <cstdint>
#include <string>
#include <vector>

#include <cbir/local/local_file.hpp>

namespace cbir {

std::string settings_file(const std::string& catalog);
std::string index_file(const std::string& catalog);
std::string lock_file(const std::string& catalog);
/// The set of what is being added, which is none of the catalogue's parts and is removed at the end.
std::string adding_set(const std::string& catalog);

/// The files of local features, by number.
std::vector<std::string> feature_files(const std::string& catalog);
std::vector<LocalFile> open_feature_files(const std::string& catalog);
/// A name for the next one.
std::string next_feature_file(const std::string& catalog);
/// The codes of a file of features: code_file.hpp.
std::string code_file(const std::string& feature_file);

/// Removes the files, and codes, that no row of the index needs. Whoever calls it holds the lock.
void sweep_feature_files(const std::string& catalog);

/// Removes the files of adding_set().
void remove_adding_set(const std::string& catalog);

}  // namespace cbir
