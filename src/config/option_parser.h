#pragma once
#include <deque>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "config/ini_file.h"
#include "config/option.h"

namespace genrec {

class OptionSection;

/// Words of the command line that are no options: `genrec_dist COMMAND [ARGUMENT ...]`.
struct CommandLine {
  std::string command;  ///< empty when none was given
  std::vector<std::string> arguments;
};

/// Fills option structs from INI files and the command line.
///
///     OptionParser parser;
///     OptionSection train = parser.section("train", "Training");
///     train.add("lr", &options.lr, "learning rate").above(0);
///     train.add("schedule", &options.schedule, "its course").allowed({"constant", "cosine"});
///     CommandLine command = parser.parse({argv + 1, argv + argc});
///
/// Precedence: defaults < files in the order of --config < command line. The bound variables must outlive the
/// parser. All errors of the user are UsageError.
class OptionParser {
 public:
  OptionParser() = default;
  OptionParser(const OptionParser&) = delete;
  OptionParser& operator=(const OptionParser&) = delete;

  /// Creates the section, or goes on with it. Options of the section "" are written without a dot
  /// (--verify); they belong to one call, so resolved_ini() leaves them out.
  OptionSection section(const std::string& name, const std::string& title = "");

  /// Reads `--config FILE` (as often as wanted), `--section.key VALUE`, `--section.key=VALUE`; a flag (bool)
  /// may stand alone. `-h` is `--help`. Of an option given twice, the last one holds.
  CommandLine parse(const std::vector<std::string>& arguments);
  /// Reads one INI file: `[section]`, `key = value`, comments after `#` or `;`. A value in double quotes
  /// keeps blanks and comment signs. Throws MissingInput when it cannot be opened.
  void read_file(const std::filesystem::path& file);
  /// The same of an INI text, like the one that a checkpoint holds; `origin` stands for the file in messages.
  void read_text(const std::string& ini, const std::string& origin);

  /// True when a file or the command line gave this key ("train.lr").
  [[nodiscard]] bool is_set(const std::string& key) const;
  /// "FILE:LINE", "command line" or "default"; for messages about a combination of options.
  [[nodiscard]] std::string origin(const std::string& key) const;
  /// Value of one key as text, for tables.
  [[nodiscard]] std::string text(const std::string& key) const;

  /// Options grouped by section, with value, default and unit; only these sections unless empty.
  [[nodiscard]] std::string help_text(const std::vector<std::string>& sections = {}) const;
  /// All values of all sections as an INI file that repeats the run.
  [[nodiscard]] std::string resolved_ini() const;
  /// Keys that have another value now than in a resolved_ini() of earlier, with the value of then. A key that
  /// it does not know had its default; one that is unknown here is left out.
  [[nodiscard]] std::map<std::string, std::string> differences(const std::string& ini) const;

 private:
  friend class OptionSection;
  struct Section {
    std::string name;
    std::string title;
    std::deque<Option> options;
  };

  Option& add(std::size_t section, const std::string& name, OptionTarget target,
              const std::string& description, const std::string& unit);
  void set_all(const std::vector<IniEntry>& entries, const std::string& origin);
  /// Null when there is no such option.
  [[nodiscard]] Option* find(const std::string& key) const;
  /// Throws std::logic_error when there is no such option.
  [[nodiscard]] const Option& known(const std::string& key) const;
  /// "; did you mean 'train.lr'?"
  [[nodiscard]] std::string suggestion(const std::string& key, const std::string& prefix) const;
  /// Flags alone and empty values (`--key=`) in the form that Boost takes.
  [[nodiscard]] std::vector<std::string> normalised(const std::vector<std::string>& arguments) const;

  std::deque<Section> sections_;
  std::map<std::string, Option*> by_key_;
};

/// Adds options to one section of a parser.
class OptionSection {
 public:
  Option& add(const std::string& name, OptionTarget target, const std::string& description,
              const std::string& unit = "") {
    return parser_->add(index_, name, target, description, unit);
  }

 private:
  friend class OptionParser;
  OptionSection(OptionParser* parser, std::size_t index) : parser_(parser), index_(index) {}
  OptionParser* parser_;
  std::size_t index_;
};

}  // namespace genrec
