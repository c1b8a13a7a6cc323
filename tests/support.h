#pragma once
#include <cstdlib>
#include <filesystem>
#include <string>

#include <unistd.h>

#include <gtest/gtest.h>

namespace genrec::test {

/// The folder of shared real data: GENREC_SHARED, or shared/ beside the project.
inline std::filesystem::path shared_folder() {
  if (const char* given = std::getenv("GENREC_SHARED")) return given;
  return std::filesystem::path(GENREC_SOURCE_DIR).parent_path() / "shared";
}

/// A folder of its own for one test, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "genrec-test-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace genrec::test

/// Skips, loudly, when a real-data file is not there.
#define GENREC_NEEDS(path)                                                               \
  if (!std::filesystem::exists(path)) {                                                  \
    GTEST_SKIP() << "SKIPPED, real data absent: " << (path) << " (set GENREC_SHARED to the shared data folder)"; \
  }
