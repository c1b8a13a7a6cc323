#pragma once
#include <filesystem>
#include <string>

#include "data/repairs.h"
#include "data/whole_dataset.h"

namespace genrec {

/// LETTER's files: NAME.inter.json {"user": [item, ...]} and NAME.item.json {"item": {"title",
/// "description"}}, ids from 0 without gaps, in any order. Texts are cleaned (clean_text); a title may be a
/// list of texts. Without an item file and with needs_text = false the items are 0 .. the largest in a
/// history. Throws DataError naming file and line.
[[nodiscard]] WholeDataset read_letter_json(const std::filesystem::path& dir, const std::string& name,
                                            bool needs_text, DatasetRepairs& repairs);

/// Writes both files, a line a user and an item, which read_letter_json takes back as the same content (of
/// texts as clean_text leaves them). `dataset` has to hold all users (one rank). Throws InputOutputError, or
/// DataError for a text that is not UTF-8.
void write_letter_json(const std::filesystem::path& dir, const std::string& name, const Dataset& dataset);

}  // namespace genrec
