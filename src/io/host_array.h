#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

namespace genrec {

enum class ElementType { kFloat32, kFloat64, kFloat16, kBFloat16, kInt32, kInt64, kUInt8, kUInt64 };
[[nodiscard]] std::size_t element_size(ElementType type);
[[nodiscard]] const char* element_name(ElementType type);  ///< "f32", "bf16", ...
/// "[2, 3]".
[[nodiscard]] std::string text_of_shape(std::span<const std::int64_t> shape);

/// A row-major array in host memory with its type: what passes between files and tensors.
struct HostArray {
  ElementType type = ElementType::kFloat32;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;

  [[nodiscard]] std::int64_t count() const;
  /// The elements as T; throws DataError when T does not match `type`.
  template <typename T>
  [[nodiscard]] std::span<const T> as() const;
  /// A copy converted to float32 (from any floating type).
  [[nodiscard]] std::vector<float> to_float() const;
  template <typename T>
  [[nodiscard]] static HostArray of(std::span<const T> values, std::vector<std::int64_t> shape);
};

}  // namespace genrec
