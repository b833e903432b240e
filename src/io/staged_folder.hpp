// A folder whose files appear together or not at all.
#pragma once
#include <string>

namespace muster::io {

/// Files are written into a hidden folder beside their place and moved there by `publish`; without it nothing is left, neither they nor folders made for them.
class StagedFolder {
 public:
  /// Makes the folder, and those above it. Throws Error{io} naming it.
  explicit StagedFolder(const std::string& folder);
  ~StagedFolder();
  StagedFolder(const StagedFolder&) = delete;
  /// Where files are written.
  const std::string& hidden() const { return hidden_; }
  /// Moves them to their place, over files of the same names. Throws Error{io} naming the file that cannot be moved.
  void publish();

 private:
  std::string folder_, hidden_, made_;  // made_: the uppermost folder that was not there, or empty
};

}  // namespace muster::io
