// Files are written into a hidden folder within the target and renamed when all are there; what is not published is removed, with the folders that were made
// for it.
#include "io/staged_folder.hpp"

#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "base/error.hpp"

namespace muster::io {
namespace fs = std::filesystem;
using base::io_error;

StagedFolder::StagedFolder(const std::string& folder) : folder_(folder) {
  std::error_code failed;
  for (fs::path p = fs::absolute(folder).lexically_normal(); !p.empty() && !fs::exists(p, failed) && p != p.parent_path(); p = p.parent_path())
    made_ = p.string();
  fs::create_directories(folder, failed);
  hidden_ = (fs::path(folder) / ".muster-XXXXXX").string();
  const bool made = !failed && mkdtemp(hidden_.data());
  if (made) return;
  const std::string why = failed ? failed.message() : std::strerror(errno);
  hidden_.clear();
  if (!made_.empty()) fs::remove_all(made_, failed);
  throw io_error("folder '", folder, "' cannot be written: ", why);
}

StagedFolder::~StagedFolder() {
  std::error_code ignored;
  if (!hidden_.empty()) fs::remove_all(hidden_, ignored);
  if (made_.empty()) return;
  for (fs::path p = fs::absolute(folder_).lexically_normal(); fs::remove(p, ignored) && p != made_;) p = p.parent_path();  // as long as they are empty
}

void StagedFolder::publish() {
  std::vector<fs::path> names, added;
  for (const auto& entry : fs::directory_iterator(hidden_)) names.push_back(entry.path().filename());
  std::error_code failed;
  for (const auto& name : names) {
    const fs::path to = fs::path(folder_) / name;
    const bool is_new = !fs::exists(to, failed);
    fs::rename(fs::path(hidden_) / name, to, failed);
    if (failed) {
      const std::string why = failed.message();
      for (const auto& p : added) fs::remove(p, failed);
      throw io_error("file '", to.string(), "' cannot be written: ", why);
    }
    if (is_new) added.push_back(to);
  }
  made_.clear();
}

}  // namespace muster::io
