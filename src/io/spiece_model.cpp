#include "io/spiece_model.h"

#include <cstdint>

#include "base/error.h"

namespace genrec {
namespace {

// Numbers of the fields of sentencepiece_model.proto that matter here.
constexpr std::uint64_t kNormalizerSpec = 3;
constexpr std::uint64_t kCharacterMap = 2;

/// One field of a message after the other.
class Fields {
 public:
  explicit Fields(std::string_view message) : rest_(message) {}

  /// False at the end.
  bool next() {
    if (rest_.empty()) return false;
    value_ = {};
    const std::uint64_t key = varint();
    number_ = key >> 3;
    switch (key & 7) {
      case 0:
        (void)varint();
        break;
      case 1:
        (void)take(8);
        break;
      case 2:
        value_ = take(varint());
        break;
      case 5:
        (void)take(4);
        break;
      default:
        fail();
    }
    return true;
  }
  [[nodiscard]] std::uint64_t number() const { return number_; }
  /// The content, of a field of bytes.
  [[nodiscard]] std::string_view value() const { return value_; }

 private:
  [[noreturn]] static void fail() {
    throw DataError("the SentencePiece model is damaged or is none; get the model file again");
  }
  std::string_view take(std::uint64_t size) {
    if (size > rest_.size()) fail();
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  std::uint64_t varint() {
    std::uint64_t result = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      result |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
      if (byte < 0x80) return result;
    }
    fail();
  }

  std::string_view rest_, value_;
  std::uint64_t number_ = 0;
};

}  // namespace

std::string spiece_character_map(std::string_view bytes) {
  for (Fields fields(bytes); fields.next();) {
    if (fields.number() != kNormalizerSpec) continue;
    for (Fields spec(fields.value()); spec.next();) {
      if (spec.number() == kCharacterMap) return std::string(spec.value());
    }
  }
  return "";
}

}  // namespace genrec
