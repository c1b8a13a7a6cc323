#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "io/files.h"

namespace genrec::test {

/// The float32 numbers of the only tensor in a PyTorch file, a zip archive whose entries are not compressed.
inline std::vector<float> read_torch_floats(const std::filesystem::path& path, std::size_t count) {
  const std::string bytes = read_text_file(path), name = "archive/data/0";
  const std::size_t at = bytes.find(name);  // in the entry's header of 30 bytes, name and padding
  if (at == std::string::npos || at < 30) throw std::runtime_error(path.string() + ": no tensor in it");
  const auto byte = [&](std::size_t i) {
    return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i]));
  };
  const std::size_t padding = byte(at - 2) + 256 * byte(at - 1);
  const std::size_t begin = at + name.size() + padding;
  std::vector<float> values(count);
  if (begin + count * sizeof(float) > bytes.size()) throw std::runtime_error(path.string() + ": too short");
  std::memcpy(values.data(), bytes.data() + begin, count * sizeof(float));
  return values;
}

}  // namespace genrec::test
