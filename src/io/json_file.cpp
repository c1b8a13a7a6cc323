#include "io/json_file.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <unordered_set>
#include <vector>

#include "base/error.h"
#include "io/files.h"

namespace genrec {
namespace {

/// An input iterator that leaves its place where the handler of the parse events can see it.
class TrackedIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  TrackedIterator(const char* place, const char** shared) : place_(place), shared_(shared) {}
  reference operator*() const { return *place_; }
  TrackedIterator& operator++() {
    ++place_;
    *shared_ = place_;
    return *this;
  }
  TrackedIterator operator++(int) {
    TrackedIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const TrackedIterator& other) const { return place_ == other.place_; }

 private:
  const char* place_;
  const char** shared_;
};

/// Line and column (from 1) of a byte of the text.
struct Place {
  std::int64_t line = 1;
  std::int64_t column = 1;
  Place(std::string_view text, std::size_t offset) {
    const std::string_view before = text.substr(0, std::min(offset, text.size()));
    line += std::count(before.begin(), before.end(), '\n');
    const std::size_t newline = before.rfind('\n');
    column += static_cast<std::int64_t>(newline == before.npos ? before.size() : before.size() - newline - 1);
  }
};

/// What both readers below share: events of the parser, the text, and a throw that names the place.
class Events : public nlohmann::json_sax<Json> {
 public:
  Events(std::string_view text, const std::filesystem::path& path)
      : text_(text), path_(path), cursor_(text.data()) {}
  void run() {
    Json::sax_parse(TrackedIterator(text_.data(), &cursor_),
                    TrackedIterator(text_.data() + text_.size(), &cursor_), this);
  }
  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const Json::exception& error) override {
    std::string reason = error.what();
    if (const auto colon = reason.find(": "); colon != reason.npos) reason.erase(0, colon + 2);
    fail(position > 0 ? position - 1 : 0, "no valid JSON: " + reason);
  }

 protected:
  /// Offset of the last byte of the value or key just read.
  [[nodiscard]] std::size_t offset() const {
    const auto consumed = static_cast<std::size_t>(cursor_ - text_.data());
    return consumed > 0 ? consumed - 1 : 0;
  }
  [[nodiscard]] std::string_view text() const { return text_; }
  [[noreturn]] void fail(std::size_t offset, const std::string& reason) const {
    const Place place(text_, offset);
    throw DataError(path_.string() + ": line " + std::to_string(place.line) + ", column " +
                    std::to_string(place.column) + ": " + reason + "; correct the file there");
  }

 private:
  std::string_view text_;
  const std::filesystem::path& path_;
  const char* cursor_;
};

/// Builds the value. The library's own builder searches every earlier key of an object for each new one,
/// which takes minutes for the files of large catalogues; a hash set also finds repeated keys, which it
/// ignores.
class Builder final : public Events {
 public:
  using Events::Events;
  Json take() { return std::move(root_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(std::int64_t value) override { return add(value); }
  bool number_unsigned(std::uint64_t value) override { return add(value); }
  bool number_float(double value, const std::string& /*digits*/) override { return add(value); }
  bool string(std::string& value) override { return add(std::move(value)); }
  bool binary(Json::binary_t& value) override { return add(std::move(value)); }
  bool start_object(std::size_t /*size*/) override { return open(Json::object()); }
  bool start_array(std::size_t /*size*/) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(std::string& name) override {
    if (!open_.back().names.insert(name).second)
      fail(offset(), "the key " + Json(name).dump() + " occurs twice");
    open_.back().key = std::move(name);
    return true;
  }

 private:
  struct Container {
    Json* value;
    std::string key;
    std::unordered_set<std::string> names;
  };

  Json* place(Json&& value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Container& parent = open_.back();
    if (parent.value->is_array()) {
      auto& elements = parent.value->get_ref<Json::array_t&>();
      return &elements.emplace_back(std::move(value));
    }
    auto& members = parent.value->get_ref<Json::object_t&>();
    members.emplace_back(parent.key, std::move(value));
    return &members.back().second;
  }
  bool add(Json&& value) {
    place(std::move(value));
    return true;
  }
  bool open(Json&& value) {
    open_.push_back({place(std::move(value)), {}, {}});
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  Json root_;
  std::vector<Container> open_;
};

/// Follows a JSON pointer through the events and remembers where its value begins.
class Finder final : public Events {
 public:
  Finder(std::string_view text, const std::filesystem::path& path, std::string pointer)
      : Events(text, path), wanted_(std::move(pointer)) {}
  [[nodiscard]] std::int64_t line() const { return line_; }

  bool null() override { return value(); }
  bool boolean(bool /*value*/) override { return value(); }
  bool number_integer(std::int64_t /*value*/) override { return value(); }
  bool number_unsigned(std::uint64_t /*value*/) override { return value(); }
  bool number_float(double /*value*/, const std::string& /*digits*/) override { return value(); }
  bool string(std::string& /*value*/) override { return value(); }
  bool binary(Json::binary_t& /*value*/) override { return value(); }
  bool start_object(std::size_t /*size*/) override { return open(false); }
  bool start_array(std::size_t /*size*/) override { return open(true); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(std::string& name) override {
    open_.back().step = json_step(name);
    return true;
  }

 private:
  struct Container {
    bool array;
    std::int64_t next;
    std::string step;
  };

  bool value() {
    if (!open_.empty() && open_.back().array) open_.back().step = "/" + std::to_string(open_.back().next++);
    std::string here;
    for (const Container& container : open_) here += container.step;
    if (here != wanted_) return true;
    line_ = Place(text(), offset()).line;
    return false;
  }
  bool open(bool array) {
    const bool go_on = value();
    open_.push_back({array, 0, {}});
    return go_on;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  std::string wanted_;
  std::int64_t line_ = 1;
  std::vector<Container> open_;
};

}  // namespace

Json read_json(const std::filesystem::path& path) {
  return parse_json(read_text_file(path), path);
}

Json parse_json(std::string_view text, const std::filesystem::path& path) {
  Builder builder(text, path);
  builder.run();
  return builder.take();
}

std::string json_step(std::string_view key) {
  std::string step = "/";
  for (const char c : key) step += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return step;
}

std::int64_t json_line(const std::filesystem::path& path, const std::string& pointer) {
  const std::string text = read_text_file(path);
  Finder finder(text, path, pointer);
  finder.run();
  return finder.line();
}

void write_json(const std::filesystem::path& path, const Json& value) {
  std::string text;
  try {
    text = value.dump(2);
  } catch (const Json::type_error& error) {
    throw DataError("cannot write " + path.string() + ": a text in it is not UTF-8 (" + error.what() +
                    "); convert the input to UTF-8");
  }
  write_file_atomically(path, text + "\n");
}

}  // namespace genrec
