#include "config/option_parser.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <sstream>
#include <stdexcept>

#include "base/error.h"
#include "base/nearest.h"

namespace po = boost::program_options;

namespace genrec {
namespace {

constexpr unsigned kHelpWidth = 110;
constexpr const char* kConfig = "config";
constexpr const char* kWords = "words of the line";

bool is_flag_word(const std::string& word) {
  for (const char* known : {"true", "false", "yes", "no", "on", "off", "1", "0"}) {
    if (word == known) return true;
  }
  return false;
}

std::string help_line(const Option& option) {
  std::string text = option.description();
  if (!option.unit().empty()) text += " [" + option.unit() + "]";
  return text;
}

}  // namespace

OptionSection OptionParser::section(const std::string& name, const std::string& title) {
  const auto found = std::ranges::find(sections_, name, &Section::name);
  if (found != sections_.end()) return {this, static_cast<std::size_t>(found - sections_.begin())};
  sections_.push_back({name, title, {}});
  return {this, sections_.size() - 1};
}

Option& OptionParser::add(std::size_t section, const std::string& name, OptionTarget target,
                          const std::string& description, const std::string& unit) {
  Section& owner = sections_[section];
  const std::string key = owner.name.empty() ? name : owner.name + "." + name;
  if (find(key) || key == kConfig) throw std::logic_error("option " + key + " is added twice");
  Option& option = owner.options.emplace_back(key, target, description, unit);
  by_key_[key] = &option;
  return option;
}

Option* OptionParser::find(const std::string& key) const {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : found->second;
}

const Option& OptionParser::known(const std::string& key) const {
  const Option* option = find(key);
  if (!option) throw std::logic_error("there is no option " + key);
  return *option;
}

bool OptionParser::is_set(const std::string& key) const {
  return !known(key).origin().empty();
}

std::string OptionParser::origin(const std::string& key) const {
  const std::string& origin = known(key).origin();
  return origin.empty() ? "default" : origin;
}

std::string OptionParser::text(const std::string& key) const {
  return known(key).text();
}

std::string OptionParser::suggestion(const std::string& key, const std::string& prefix) const {
  std::vector<std::string> keys, names;
  if (!prefix.empty()) keys.push_back(kConfig);
  for (const Section& section : sections_) {
    for (const Option& option : section.options) {
      if (option.is_hidden()) continue;
      keys.push_back(option.key());
      // The right name in a wrong section is nearer than any other.
      const std::string name = key.substr(key.find('.') + 1);
      if (option.key().substr(option.key().find('.') + 1) == name) names.push_back(option.key());
    }
  }
  const std::string nearest = nearest_name(key, names.empty() ? keys : names);
  return nearest.empty() ? "" : "; did you mean " + prefix + nearest + "?";
}

void OptionParser::read_file(const std::filesystem::path& file) {
  set_all(read_ini(file), file.string());
}

void OptionParser::read_text(const std::string& ini, const std::string& origin) {
  set_all(read_ini_text(ini, origin), origin);
}

void OptionParser::set_all(const std::vector<IniEntry>& entries, const std::string& origin) {
  for (const IniEntry& entry : entries) {
    const std::string where = origin + ":" + std::to_string(entry.line);
    const std::string key = entry.section + "." + entry.name;
    if (entry.section.empty()) {
      throw UsageError(where + ": " + entry.name + " stands before the first [section]" +
                       suggestion(entry.name, ""));
    }
    Option* option = find(key);
    if (!option) throw UsageError(where + ": unknown option " + key + suggestion(key, ""));
    option->set(entry.value, where);
  }
}

std::vector<std::string> OptionParser::normalised(const std::vector<std::string>& arguments) const {
  std::vector<std::string> result;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i] == "-h" ? "--help" : arguments[i];
    const Option* option = word.starts_with("--") ? find(word.substr(2)) : nullptr;
    if (option && option->is_flag()) {
      const bool has_value = i + 1 < arguments.size() && is_flag_word(arguments[i + 1]);
      result.push_back(word + "=" + (has_value ? arguments[++i] : "true"));
    } else if (word.starts_with("--") && word.find('=') == word.size() - 1) {
      result.push_back(word.substr(0, word.size() - 1));
      result.emplace_back();
    } else {
      result.push_back(word);
    }
  }
  return result;
}

CommandLine OptionParser::parse(const std::vector<std::string>& arguments) {
  po::options_description description;
  description.add_options()(kConfig, po::value<std::string>());
  description.add_options()(kWords, po::value<std::string>());
  for (const Section& section : sections_) {
    for (const Option& option : section.options) {
      description.add_options()(option.key().c_str(), po::value<std::string>());
    }
  }
  po::positional_options_description words;
  words.add(kWords, -1);

  const int style = po::command_line_style::allow_long | po::command_line_style::long_allow_adjacent |
                    po::command_line_style::long_allow_next;
  std::vector<po::option> given;
  try {
    given = po::command_line_parser(normalised(arguments))
                .options(description)
                .positional(words)
                .style(style)
                .allow_unregistered()
                .run()
                .options;
  } catch (const po::error& failure) {
    throw UsageError(std::string("command line: ") + failure.what() +
                     "; 'genrec_dist help' lists all options");
  }

  for (const po::option& option : given) {
    const std::string& word = option.original_tokens.front();
    if (option.string_key == kWords && word.size() > 1 && word[0] == '-') {
      throw UsageError("command line: unknown option " + word + "; options are written --section.key VALUE");
    }
    if (!option.unregistered) continue;
    throw UsageError("command line: unknown option " + word + suggestion(option.string_key, "--"));
  }
  for (const po::option& option : given) {
    if (option.string_key == kConfig) read_file(option.value.front());
  }
  CommandLine result;
  for (const po::option& option : given) {
    if (option.string_key == kConfig) continue;
    if (option.string_key != kWords) {
      find(option.string_key)->set(option.value.front(), "command line");
    } else if (result.command.empty()) {
      result.command = option.value.front();
    } else {
      result.arguments.push_back(option.value.front());
    }
  }
  return result;
}

std::string OptionParser::help_text(const std::vector<std::string>& sections) const {
  std::ostringstream text;
  for (const Section& section : sections_) {
    if (!sections.empty() && std::ranges::find(sections, section.name) == sections.end()) continue;
    std::string title = section.title.empty() ? section.name : section.title;
    if (!section.name.empty() && !section.title.empty()) title += " [" + section.name + "]";
    po::options_description description(title, kHelpWidth, kHelpWidth / 2);
    for (const Option& option : section.options) {
      if (option.is_hidden()) continue;
      auto* value = po::value<std::string>()->value_name(option.value_name());
      if (!option.default_text().empty()) value->default_value(option.default_text());
      description.add_options()(option.key().c_str(), value, help_line(option).c_str());
    }
    if (!description.options().empty()) text << description << '\n';
  }
  return text.str();
}

std::string OptionParser::resolved_ini() const {
  std::string text;
  for (const Section& section : sections_) {
    if (section.name.empty()) continue;
    text += (text.empty() ? "[" : "\n[") + section.name + "]\n";
    for (const Option& option : section.options) {
      const std::string value = ini_value(option.text());
      text += option.key().substr(section.name.size() + 1) + " =" + (value.empty() ? "" : " " + value) + "\n";
    }
  }
  return text;
}

std::map<std::string, std::string> OptionParser::differences(const std::string& ini) const {
  std::map<std::string, std::string> then;
  for (const IniEntry& entry : read_ini_text(ini, "the options of then"))
    then[entry.section + "." + entry.name] = entry.value;
  std::map<std::string, std::string> changed;
  for (const auto& [key, option] : by_key_) {
    if (key.find('.') == std::string::npos) continue;  // of the command line only
    const auto found = then.find(key);
    const std::string& before = found == then.end() ? option->default_text() : found->second;
    if (option->text() != before) changed[key] = before;
  }
  return changed;
}

}  // namespace genrec
