#include "io/json_object_writer.h"

#include <utility>

#include "base/error.h"
#include "io/json_file.h"

namespace genrec {

JsonObjectWriter::JsonObjectWriter(std::filesystem::path path) : path_(std::move(path)), file_(path_) {
  file_.write("{");
}

void JsonObjectWriter::add(const std::string& key, const std::string& value) {
  file_.write(empty_ ? "\n" : ",\n");
  file_.write(quoted(key) + ": " + value);
  empty_ = false;
}

std::string JsonObjectWriter::quoted(const std::string& text) const {
  try {
    return Json(text).dump();
  } catch (const Json::type_error& error) {
    throw DataError("cannot write " + path_.string() + ": a text in it is not UTF-8 (" + error.what() +
                    "); convert the input to UTF-8");
  }
}

void JsonObjectWriter::commit() {
  file_.write("\n}\n");
  file_.commit();
}

}  // namespace genrec
