#include "io/text_normalizer.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace genrec {
namespace {

constexpr char kReplacement[] = "\xef\xbf\xbd";  // U+FFFD
/// Longer groups of characters are replaced one by one.
constexpr std::size_t kMostGroupBytes = 5;

struct CodeRange {
  char32_t first, last;
};

template <std::size_t N>
bool contains(const CodeRange (&ranges)[N], char32_t c) {
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [c](const CodeRange& range) { return range.first <= c && c <= range.last; });
}

/// Marks that join the character before them (Grapheme_Extend), as far as they can stand in a group of five
/// bytes that begins with a replaced character.
constexpr CodeRange kMarks[] = {
    {0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x5bf, 0x5bf},   {0x5c1, 0x5c2},
    {0x5c4, 0x5c5},   {0x5c7, 0x5c7},   {0x610, 0x61a},   {0x64b, 0x65f},   {0x670, 0x670},
    {0x6d6, 0x6dc},   {0x6df, 0x6e4},   {0x6e7, 0x6e8},   {0x6ea, 0x6ed},   {0x711, 0x711},
    {0x730, 0x74a},   {0x7a6, 0x7b0},   {0x7eb, 0x7f3},   {0x7fd, 0x7fd},   {0x1ab0, 0x1ace},
    {0x1dc0, 0x1dff}, {0x200c, 0x200d}, {0x2cef, 0x2cf1}, {0x20d0, 0x20f0}, {0x302a, 0x302f},
    {0x3099, 0x309a}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xff9e, 0xff9f}};

/// Characters that join the one after them (Grapheme_Cluster_Break = Prepend).
constexpr CodeRange kPrepended[] = {
    {0x600, 0x605}, {0x6dd, 0x6dd}, {0x70f, 0x70f}, {0x890, 0x891}, {0x8e2, 0x8e2}};

/// Characters that no mark joins (Grapheme_Cluster_Break = Control).
constexpr CodeRange kControls[] = {{0x0, 0x1f},      {0x7f, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},
                                   {0x180e, 0x180e}, {0x200b, 0x200b}, {0x200e, 0x200f}, {0x2028, 0x202e},
                                   {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff0, 0xfffb}};

constexpr CodeRange kSpaces[] = {{0x9, 0xd},       {0x20, 0x20},     {0x85, 0x85},     {0xa0, 0xa0},
                                 {0x1680, 0x1680}, {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f},
                                 {0x205f, 0x205f}, {0x3000, 0x3000}};

/// Bytes of the UTF-8 character at the front and its code; 0 bytes where the text is no UTF-8.
std::size_t decode(std::string_view text, char32_t& code) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) {
    code = lead;
    return 1;
  }
  const std::size_t size = lead >= 0xf0 && lead < 0xf5   ? 4
                           : lead >= 0xe0 && lead < 0xf0 ? 3
                           : lead >= 0xc2 && lead < 0xe0 ? 2
                                                         : 0;
  if (size == 0 || text.size() < size) return 0;
  code = lead & (0x7fU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = (code << 6) | (byte(i) & 0x3fU);
  }
  constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[size] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return 0;
  return size;
}

std::string repaired(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    char32_t code = 0;
    const std::size_t size = decode(text, code);
    result.append(size == 0 ? std::string_view(kReplacement) : text.substr(0, size));
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return result;
}

/// Bytes of the first character and of those that join it.
std::size_t group_size(std::string_view text) {
  if (text.starts_with("\r\n")) return 2;
  char32_t code = 0;
  std::size_t size = decode(text, code);
  if (contains(kControls, code)) return size;
  while (contains(kPrepended, code) && size < text.size()) {
    const std::size_t next = decode(text.substr(size), code);
    if (contains(kControls, code)) return size;
    size += next;
  }
  while (size < text.size()) {
    const std::size_t next = decode(text.substr(size), code);
    if (!contains(kMarks, code)) break;
    size += next;
  }
  return size;
}

}  // namespace

TextNormalizer::TextNormalizer(std::string_view map) {
  if (map.empty()) return;
  std::uint32_t bytes = 0;
  if (map.size() >= sizeof(bytes)) std::memcpy(&bytes, map.data(), sizeof(bytes));
  if (bytes == 0 || bytes % 4 != 0 || bytes > map.size() - sizeof(bytes)) {
    throw DataError("the SentencePiece model's character map is damaged; get the model file again");
  }
  trie_.resize(bytes / 4);
  std::memcpy(trie_.data(), map.data() + sizeof(bytes), bytes);
  replacements_ = map.substr(sizeof(bytes) + bytes);
}

bool TextNormalizer::replace(std::string_view text, std::string& result) const {
  // A unit of the double array: bits 0-7 and 31 the label, bit 8 whether an entry ends here, bits 10-30 the
  // offset of the children, shifted by 8 where bit 9 is set; a unit with a value has it in bits 0-30.
  const auto offset = [](std::uint32_t unit) { return (unit >> 10) << ((unit & (1U << 9)) >> 6); };
  if (trie_.empty()) return false;
  std::size_t node = offset(trie_[0]);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == 0) return false;
    node ^= byte;
    if (node >= trie_.size()) return false;
    const std::uint32_t unit = trie_[node];
    if ((unit & ((1U << 31) | 0xffU)) != byte) return false;
    node ^= offset(unit);
    if (node >= trie_.size()) return false;
    if (((unit >> 8) & 1U) != 0) {
      const std::size_t value = trie_[node] & 0x7fffffffU;
      if (value < replacements_.size()) result += replacements_.c_str() + value;
      return true;
    }
  }
  return false;
}

std::string TextNormalizer::apply(std::string_view raw) const {
  const std::string valid = repaired(raw);
  std::string result;
  result.reserve(valid.size());
  for (std::string_view text = valid; !text.empty();) {
    std::string_view group = text.substr(0, group_size(text));
    text.remove_prefix(group.size());
    if (group.size() <= kMostGroupBytes && replace(group, result)) continue;
    while (!group.empty()) {
      char32_t code = 0;
      const std::string_view character = group.substr(0, decode(group, code));
      if (!replace(character, result)) result += character;
      group.remove_prefix(character.size());
    }
  }
  return result;
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  std::size_t begin = 0;
  std::size_t place = 0;
  while (place < text.size()) {
    char32_t code = 0;
    const std::size_t size = std::max<std::size_t>(decode(text.substr(place), code), 1);
    if (contains(kSpaces, code)) {
      if (place > begin) words.push_back(text.substr(begin, place - begin));
      begin = place + size;
    }
    place += size;
  }
  if (text.size() > begin) words.push_back(text.substr(begin));
  return words;
}

}  // namespace genrec
