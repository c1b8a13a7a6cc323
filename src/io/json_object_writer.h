#pragma once
#include <filesystem>
#include <string>

#include "io/text_writer.h"

namespace genrec {

/// Writes a file of one JSON object, a line a member, that is never whole in memory; without commit() nothing
/// stays. Throws InputOutputError.
class JsonObjectWriter {
 public:
  explicit JsonObjectWriter(std::filesystem::path path);

  /// `value` is JSON. Keys are not compared: each must come once.
  void add(const std::string& key, const std::string& value);
  /// A text as JSON; throws DataError when it is not UTF-8.
  [[nodiscard]] std::string quoted(const std::string& text) const;
  void commit();

 private:
  std::filesystem::path path_;
  TextWriter file_;
  bool empty_ = true;
};

}  // namespace genrec
