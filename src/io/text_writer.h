#pragma once
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "io/partial_file.h"

namespace genrec {

/// Writes a text file piece by piece under a temporary name; commit() syncs and renames it, without commit()
/// nothing stays. Throws InputOutputError.
class TextWriter {
 public:
  explicit TextWriter(const std::filesystem::path& path) : file_(path) {}

  void write(std::string_view text) {
    buffer_ += text;
    if (buffer_.size() >= kBufferBytes) flush();
  }
  void commit() {
    flush();
    file_.publish();
  }

 private:
  static constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

  void flush() {
    file_.write(file_.size(), buffer_.data(), buffer_.size());
    file_.check();
    buffer_.clear();
  }

  PartialFile file_;
  std::string buffer_;
};

}  // namespace genrec
