#include "data/text_cleaning.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

namespace genrec {
namespace {

constexpr std::array<std::pair<std::string_view, char32_t>, 46> kEntities = {{
    {"amp", '&'},      {"lt", '<'},       {"gt", '>'},       {"quot", '"'},     {"apos", '\''},
    {"nbsp", 0xA0},    {"cent", 0xA2},    {"pound", 0xA3},   {"yen", 0xA5},     {"sect", 0xA7},
    {"copy", 0xA9},    {"laquo", 0xAB},   {"reg", 0xAE},     {"deg", 0xB0},     {"plusmn", 0xB1},
    {"acute", 0xB4},   {"micro", 0xB5},   {"middot", 0xB7},  {"raquo", 0xBB},   {"frac14", 0xBC},
    {"frac12", 0xBD},  {"frac34", 0xBE},  {"iquest", 0xBF},  {"Eacute", 0xC9},  {"times", 0xD7},
    {"szlig", 0xDF},   {"agrave", 0xE0},  {"aacute", 0xE1},  {"auml", 0xE4},    {"ccedil", 0xE7},
    {"egrave", 0xE8},  {"eacute", 0xE9},  {"iacute", 0xED},  {"ntilde", 0xF1},  {"oacute", 0xF3},
    {"ouml", 0xF6},    {"uuml", 0xFC},    {"ndash", 0x2013}, {"mdash", 0x2014}, {"lsquo", 0x2018},
    {"rsquo", 0x2019}, {"ldquo", 0x201C}, {"rdquo", 0x201D}, {"bull", 0x2022},  {"hellip", 0x2026},
    {"trade", 0x2122},
}};

void append_utf8(std::string& out, char32_t code) {
  const auto byte = [&out](char32_t value) { out += static_cast<char>(static_cast<unsigned char>(value)); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xC0 | (code >> 6));
    byte(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    byte(0xE0 | (code >> 12));
    byte(0x80 | ((code >> 6) & 0x3F));
    byte(0x80 | (code & 0x3F));
  } else {
    byte(0xF0 | (code >> 18));
    byte(0x80 | ((code >> 12) & 0x3F));
    byte(0x80 | ((code >> 6) & 0x3F));
    byte(0x80 | (code & 0x3F));
  }
}

/// The character of an entity without its '&' and ';', if it is one.
std::optional<char32_t> entity(std::string_view name) {
  if (name.starts_with('#')) {
    name.remove_prefix(1);
    const bool hexadecimal = name.starts_with('x') || name.starts_with('X');
    if (hexadecimal) name.remove_prefix(1);
    std::uint32_t code = 0;
    const auto [end, failure] =
        std::from_chars(name.data(), name.data() + name.size(), code, hexadecimal ? 16 : 10);
    const bool is_character = code > 0 && code < 0x110000 && (code < 0xD800 || code > 0xDFFF);
    if (failure != std::errc() || end != name.data() + name.size() || !is_character) return std::nullopt;
    return static_cast<char32_t>(code);
  }
  const auto* found = std::find_if(kEntities.begin(), kEntities.end(),
                                   [name](const auto& candidate) { return candidate.first == name; });
  if (found == kEntities.end()) return std::nullopt;
  return found->second;
}

std::string unescape(std::string_view text) {
  constexpr std::size_t kLongestName = 10;
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '&') {
      const std::size_t end = text.substr(i + 1, kLongestName).find(';');
      const auto character = end == text.npos ? std::nullopt : entity(text.substr(i + 1, end));
      if (character) {
        append_utf8(out, *character);
        i += end + 1;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

/// A tag opens with a letter, '/' or '!' after its '<': "5 < 6" holds none.
bool opens_tag(std::string_view text) {
  if (text.size() < 2 || text[0] != '<') return false;
  const char c = text[1];
  return c == '/' || c == '!' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::string without_tags(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t end = opens_tag(text.substr(i)) ? text.find('>', i) : text.npos;
    if (end != text.npos) {
      i = end;
    } else {
      out += text[i];
    }
  }
  return out;
}

/// Drops double quotes and blanks at both ends, and makes each run of newlines and tabs one blank.
std::string without_quotes_and_newlines(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool newline = false;
  for (const char c : text) {
    if (c >= '\t' && c <= '\r') {
      newline = true;
    } else if (c != '"') {
      if (newline) out += ' ';
      newline = false;
      out += c;
    }
  }
  const std::size_t first = out.find_first_not_of(' ');
  if (first == out.npos) return {};
  return out.substr(first, out.find_last_not_of(' ') - first + 1);
}

std::int64_t characters(std::string_view utf8) {
  return std::count_if(utf8.begin(), utf8.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

}  // namespace

std::string clean_text(std::string_view text) {
  std::string clean = without_quotes_and_newlines(without_tags(unescape(text)));
  while (clean.ends_with("..")) clean.pop_back();
  return characters(clean) >= kLongestText ? std::string() : clean;
}

std::string uncleaned_text(std::string_view clean) {
  if (clean_text(clean) == clean) return std::string(clean);
  std::string text;
  for (std::size_t i = 0; i < clean.size(); ++i) {
    if (clean[i] == '&') {
      text += "&amp;";
    } else {
      text += clean[i];
      if (opens_tag(clean.substr(i))) text += "<!>";  // of "<<!>b>", cleaning leaves "<b>"
    }
  }
  return text;
}

}  // namespace genrec
