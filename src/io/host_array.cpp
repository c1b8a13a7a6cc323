#include "io/host_array.h"

#include <bit>
#include <type_traits>

#include "base/error.h"

namespace genrec {
namespace {

template <typename T>
constexpr ElementType element_type_of() {
  if constexpr (std::is_same_v<T, float>) return ElementType::kFloat32;
  if constexpr (std::is_same_v<T, double>) return ElementType::kFloat64;
  if constexpr (std::is_same_v<T, std::int32_t>) return ElementType::kInt32;
  if constexpr (std::is_same_v<T, std::int64_t>) return ElementType::kInt64;
  if constexpr (std::is_same_v<T, std::uint8_t>) return ElementType::kUInt8;
  if constexpr (std::is_same_v<T, std::uint64_t>) return ElementType::kUInt64;
}

float from_bfloat16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

/// IEEE 754 half precision, every value of which a float holds exactly.
float from_float16(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16;
  const std::uint32_t exponent = (bits >> 10) & 31U;
  const std::uint32_t fraction = bits & 1023U;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * 0x1.0p-24F;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t wide = exponent == 31 ? 255U : exponent + 112U;
  return std::bit_cast<float>(sign | (wide << 23) | (fraction << 13));
}

template <typename Stored, typename Convert>
std::vector<float> converted(const std::vector<std::byte>& bytes, Convert convert) {
  std::vector<float> result(bytes.size() / sizeof(Stored));
  for (std::size_t i = 0; i < result.size(); ++i) {
    Stored value;
    std::memcpy(&value, bytes.data() + i * sizeof(Stored), sizeof(Stored));
    result[i] = convert(value);
  }
  return result;
}

}  // namespace

std::size_t element_size(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
    case ElementType::kInt32:
      return 4;
    case ElementType::kFloat16:
    case ElementType::kBFloat16:
      return 2;
    case ElementType::kUInt8:
      return 1;
    case ElementType::kFloat64:
    case ElementType::kInt64:
    case ElementType::kUInt64:
      return 8;
  }
  throw Error(ExitCode::kInternal, "unknown element type");
}

const char* element_name(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
      return "f32";
    case ElementType::kFloat64:
      return "f64";
    case ElementType::kFloat16:
      return "f16";
    case ElementType::kBFloat16:
      return "bf16";
    case ElementType::kInt32:
      return "i32";
    case ElementType::kInt64:
      return "i64";
    case ElementType::kUInt8:
      return "u8";
    case ElementType::kUInt64:
      return "u64";
  }
  throw Error(ExitCode::kInternal, "unknown element type");
}

std::string text_of_shape(std::span<const std::int64_t> shape) {
  std::string text = "[";
  for (const std::int64_t extent : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + "]";
}

std::int64_t HostArray::count() const {
  std::int64_t product = 1;
  for (const std::int64_t extent : shape) product *= extent;
  return product;
}

template <typename T>
std::span<const T> HostArray::as() const {
  if (type != element_type_of<T>()) {
    throw DataError(std::string("an array of ") + element_name(type) + " values was given where " +
                    element_name(element_type_of<T>()) + " was expected; convert it");
  }
  // The storage of a vector of bytes comes from operator new, so it is aligned for every element type.
  return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
}

std::vector<float> HostArray::to_float() const {
  switch (type) {
    case ElementType::kFloat32:
      return converted<float>(bytes, [](float x) { return x; });
    case ElementType::kFloat64:
      return converted<double>(bytes, [](double x) { return static_cast<float>(x); });
    case ElementType::kFloat16:
      return converted<std::uint16_t>(bytes, from_float16);
    case ElementType::kBFloat16:
      return converted<std::uint16_t>(bytes, from_bfloat16);
    default:
      throw DataError(std::string("an array of ") + element_name(type) +
                      " values was given where floating-point numbers were expected; convert it");
  }
}

template <typename T>
HostArray HostArray::of(std::span<const T> values, std::vector<std::int64_t> shape) {
  HostArray array{element_type_of<T>(), std::move(shape), {}};
  if (array.count() != static_cast<std::int64_t>(values.size())) {
    throw Error(ExitCode::kInternal, std::to_string(values.size()) + " values given for an array of shape " +
                                         text_of_shape(array.shape));
  }
  const auto raw = std::as_bytes(values);
  array.bytes.assign(raw.begin(), raw.end());
  return array;
}

#define GENREC_HOST_ARRAY_OF(T)                         \
  template std::span<const T> HostArray::as<T>() const; \
  template HostArray HostArray::of<T>(std::span<const T>, std::vector<std::int64_t>);
GENREC_HOST_ARRAY_OF(float)
GENREC_HOST_ARRAY_OF(double)
GENREC_HOST_ARRAY_OF(std::int32_t)
GENREC_HOST_ARRAY_OF(std::int64_t)
GENREC_HOST_ARRAY_OF(std::uint8_t)
GENREC_HOST_ARRAY_OF(std::uint64_t)
#undef GENREC_HOST_ARRAY_OF

}  // namespace genrec
