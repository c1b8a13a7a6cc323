#include "config/option.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>
#include <type_traits>

#include "base/error.h"
#include "base/nearest.h"
#include "config/trimmed.h"

namespace genrec {
namespace {

template <typename T>
struct IsList : std::false_type {};
template <typename T>
struct IsList<std::vector<T>> : std::true_type {};

template <typename T>
constexpr bool kIsNumber = std::is_arithmetic_v<T> && !std::is_same_v<T, bool>;

bool parse(const std::string& text, bool& value) {
  for (const char* word : {"true", "yes", "on", "1"}) {
    if (text == word) return value = true;
  }
  for (const char* word : {"false", "no", "off", "0"}) {
    if (text == word) return !(value = false);
  }
  return false;
}

/// An INI value is one line.
bool parse(const std::string& text, std::string& value) {
  value = text;
  return text.find('\n') == std::string::npos;
}

bool parse(const std::string& text, std::filesystem::path& value) {
  value = text;
  return text.find('\n') == std::string::npos;
}

template <typename T>
requires kIsNumber<T>
bool parse(const std::string& text, T& value) {
  const char* begin = text.data() + (text.size() > 1 && text[0] == '+' && text[1] != '-' ? 1 : 0);
  const char* end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(begin, end, value);
  if (failure != std::errc() || stop != end) return false;
  if constexpr (std::is_floating_point_v<T>) return std::isfinite(value);
  return true;
}

template <typename T>
bool parse(const std::string& text, std::vector<T>& values) {
  values.clear();
  if (trimmed(text).empty()) return true;
  std::istringstream stream(text + ",");
  for (std::string element; std::getline(stream, element, ',');) {
    element = trimmed(element);
    if (element.empty() || !parse(element, values.emplace_back())) return false;
  }
  return true;
}

std::string format(bool value) {
  return value ? "true" : "false";
}
std::string format(const std::string& value) {
  return value;
}
std::string format(const std::filesystem::path& value) {
  return value.string();
}

template <typename T>
requires kIsNumber<T> std::string format(T value) {
  char text[64];
  return {text, std::to_chars(text, text + sizeof(text), value).ptr};
}

template <typename T>
std::string format(const std::vector<T>& values) {
  std::string text;
  for (const T& value : values) {
    if (!text.empty()) text += ',';
    text += format(value);
  }
  return text;
}

std::string joined(const std::vector<std::string>& words, const char* separator) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += separator;
    text += word;
  }
  return text;
}

}  // namespace

Option::Option(std::string key, OptionTarget target, std::string description, std::string unit)
    : key_(std::move(key)), target_(target), description_(std::move(description)), unit_(std::move(unit)) {
  default_text_ = text();
}

Option& Option::allowed(std::vector<std::string> words) {
  allowed_ = std::move(words);
  return *this;
}

Option& Option::range(double lo, double hi) {
  low_ = lo;
  high_ = hi;
  return *this;
}

Option& Option::at_least(double lo) {
  low_ = lo;
  return *this;
}

Option& Option::above(double lo) {
  low_ = lo;
  low_is_open_ = true;
  return *this;
}

Option& Option::hidden() {
  hidden_ = true;
  return *this;
}

bool Option::in_range(double value) const {
  if (low_ && (low_is_open_ ? value <= *low_ : value < *low_)) return false;
  return !high_ || value <= *high_;
}

bool Option::is_allowed(const std::string& word) const {
  return allowed_.empty() || std::ranges::find(allowed_, word) != allowed_.end();
}

bool Option::try_set(const std::string& text) {
  return std::visit(
      [&](auto* target) {
        using Value = std::remove_pointer_t<decltype(target)>;
        Value value{};
        if (!parse(text, value)) return false;
        if constexpr (IsList<Value>::value) {
          for (const auto& element : value) {
            if constexpr (kIsNumber<typename Value::value_type>) {
              if (!in_range(static_cast<double>(element))) return false;
            } else if (!is_allowed(element)) {
              return false;
            }
          }
        } else if constexpr (kIsNumber<Value>) {
          if (!in_range(static_cast<double>(value))) return false;
        } else if constexpr (std::is_same_v<Value, std::string>) {
          if (!is_allowed(value)) return false;
        }
        *target = std::move(value);
        return true;
      },
      target_);
}

void Option::set(const std::string& text, const std::string& origin) {
  if (!try_set(text)) {
    std::string message = key_ + " = '" + text + "' (" + origin + "): expected " + expected();
    if (!allowed_.empty() && !text.empty()) {
      message += "; did you mean '" + nearest_name(text, allowed_) + "'?";
    }
    throw UsageError(message);
  }
  origin_ = origin;
}

std::string Option::text() const {
  return std::visit([](const auto* target) { return format(*target); }, target_);
}

std::string Option::value_name() const {
  if (!allowed_.empty()) return joined(allowed_, "|");
  return std::visit(
      [](const auto* target) -> std::string {
        using Value = std::remove_cvref_t<decltype(*target)>;
        if constexpr (std::is_same_v<Value, bool>) return "true|false";
        if constexpr (std::is_same_v<Value, double>) return "NUMBER";
        if constexpr (std::is_same_v<Value, std::filesystem::path>) return "PATH";
        if constexpr (std::is_same_v<Value, std::string>) return "TEXT";
        if constexpr (std::is_same_v<Value, std::vector<std::string>>) return "TEXT,...";
        if constexpr (std::is_same_v<Value, std::vector<int>>) return "INTEGER,...";
        return "INTEGER";
      },
      target_);
}

std::string Option::expected() const {
  const bool is_list = std::holds_alternative<std::vector<int>*>(target_) ||
                       std::holds_alternative<std::vector<std::string>*>(target_);
  std::string text = is_list ? "a list with commas, each " : "";
  if (!allowed_.empty()) return text + "one of " + joined(allowed_, ", ");
  if (is_flag()) return "true or false";
  if (std::holds_alternative<double*>(target_)) {
    text += "a number";
  } else if (std::holds_alternative<std::string*>(target_) ||
             std::holds_alternative<std::filesystem::path*>(target_) ||
             std::holds_alternative<std::vector<std::string>*>(target_)) {
    text += "a text of one line";
  } else {
    text += std::holds_alternative<std::uint64_t*>(target_) && !low_ ? "an integer from 0" : "an integer";
  }
  if (low_) text += (low_is_open_ ? " above " : high_ ? " from " : " of at least ") + format(*low_);
  if (high_) text += (low_ ? " to " : " of at most ") + format(*high_);
  if (!unit_.empty()) text += " (" + unit_ + ")";
  return text;
}

}  // namespace genrec
