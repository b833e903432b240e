// Writes what is said of the operators elsewhere, from their forms: generate FOLDER. Run by the build; src/ops is the source.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "forms.hpp"
#include "ops/frame/catalog.hpp"

namespace {
// A file that stays as it was keeps its time, so that nothing is built again.
void write(const std::filesystem::path& path, const std::string& text) {
  std::stringstream old;
  if (std::ifstream in(path); in) old << in.rdbuf();
  if (std::filesystem::exists(path) && old.str() == text) return;
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << text;
}
}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: generate FOLDER\n";
    return 2;
  }
  auto ops = muster::ops::frame::catalog();
  std::sort(ops.begin(), ops.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  try {
    for (const auto& files : {muster::generate::python_files(ops), muster::generate::cpp_files(ops)})
      for (const auto& [path, text] : files) write(std::filesystem::path(argv[1]) / path, text);
  } catch (const muster::Error& error) {
    std::cerr << "generate: " << error.message << "\n";
    return 1;
  }
  return 0;
}
