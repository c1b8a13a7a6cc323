#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace genrec {

/// The variable that an option fills; its value when the option is added is the default.
using OptionTarget = std::variant<std::int32_t*, std::int64_t*, std::uint64_t*, double*, bool*, std::string*,
                                  std::filesystem::path*, std::vector<int>*, std::vector<std::string>*>;

/// One option: where its value goes and which values are allowed. Limits hold for each element of a list.
class Option {
 public:
  Option(std::string key, OptionTarget target, std::string description, std::string unit);

  /// Only these words.
  Option& allowed(std::vector<std::string> words);
  /// lo <= value <= hi.
  Option& range(double lo, double hi);
  /// lo <= value.
  Option& at_least(double lo);
  /// lo < value.
  Option& above(double lo);
  /// Left out of the help text.
  Option& hidden();

  [[nodiscard]] const std::string& key() const { return key_; }
  [[nodiscard]] const std::string& description() const { return description_; }
  [[nodiscard]] const std::string& unit() const { return unit_; }
  [[nodiscard]] const std::string& default_text() const { return default_text_; }
  [[nodiscard]] bool is_hidden() const { return hidden_; }
  [[nodiscard]] bool is_flag() const { return std::holds_alternative<bool*>(target_); }
  /// "INTEGER", "NUMBER", "WORD|WORD" ...
  [[nodiscard]] std::string value_name() const;
  /// "an integer from 1 to 8", "one of a, b" ...
  [[nodiscard]] std::string expected() const;

  /// Parses and stores. Throws UsageError "key = value (origin): expected ...".
  void set(const std::string& text, const std::string& origin);
  /// The present value as text that set() reads back to the same value.
  [[nodiscard]] std::string text() const;
  /// "FILE:LINE" or "command line"; empty while the default holds.
  [[nodiscard]] const std::string& origin() const { return origin_; }

 private:
  [[nodiscard]] bool in_range(double value) const;
  [[nodiscard]] bool is_allowed(const std::string& word) const;
  bool try_set(const std::string& text);

  std::string key_;
  OptionTarget target_;
  std::string description_;
  std::string unit_;
  std::string default_text_;
  std::string origin_;
  std::vector<std::string> allowed_;
  std::optional<double> low_, high_;
  bool low_is_open_ = false;
  bool hidden_ = false;
};

}  // namespace genrec
