#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace genrec {

/// The dataset of an embeddings file where no other is named.
inline constexpr char kEmbeddings[] = "embeddings";

/// Where vectors come from; attributes of the file's dataset. "" is what a foreign file does not say.
struct EmbeddingProvenance {
  std::string source;  ///< what made them: the encoder, the model, or the file they were converted from
  std::string
      text_template;      ///< what the encoder read of an item, as data.text; "" for collaborative vectors
  std::int64_t rows = 0;  ///< in the file, those of items that were left out included
  std::string sha256;     ///< of the bytes of the file's dataset
  std::string fingerprint = {};  ///< of the interactions and texts that it was made from (Dataset)
  bool operator==(const EmbeddingProvenance&) const = default;
};

/// A vector for each item: row i is item i's.
struct Embeddings {
  std::vector<float> values;  ///< [rows, width], row-major
  std::int64_t rows = 0, width = 0;
  EmbeddingProvenance provenance;

  [[nodiscard]] std::span<const float> row(std::int64_t r) const {
    return std::span(values).subspan(static_cast<std::size_t>(r * width), static_cast<std::size_t>(width));
  }
};

/// Vectors that were just made: `values` [rows, width]; provenance as a reader of their file will find it.
[[nodiscard]] Embeddings make_embeddings(std::vector<float> values, std::int64_t width, std::string source,
                                         std::string text_template);

/// All rows of dataset `name`, floating-point numbers of any width. A file that names no source may name its
/// encoder by an attribute `model`. Throws MissingInput, InputOutputError
/// (unreadable, checksum), or DataError for no such dataset, or one that is no table of such numbers.
[[nodiscard]] Embeddings read_embeddings(const std::filesystem::path& path,
                                         const std::string& name = kEmbeddings);

/// The rows of the items of `dataset`: those that data.max-items left out of it are left out here too. Throws
/// DataError also when the file is for another number of items, or a number is not finite.
[[nodiscard]] Embeddings read_embeddings_for(const Dataset& dataset, const std::filesystem::path& path,
                                             const std::string& name = kEmbeddings);

/// float32, with source, template and fingerprint of the provenance; rows and sha256 are those of what is
/// written. Throws InputOutputError.
void write_embeddings(const std::filesystem::path& path, const Embeddings& embeddings,
                      const std::string& name = kEmbeddings);

/// What makes vectors unfit, or items impossible to tell apart by them.
struct EmbeddingCounts {
  std::int64_t rows = 0;
  std::int64_t non_finite_values = 0;      ///< NaN and infinite numbers
  std::int64_t non_finite_rows = 0;        ///< rows with any of them
  std::int64_t first_non_finite_row = -1;  ///< -1: none
  std::int64_t constant_rows = 0;          ///< one number all along; where width is 1, only 0 counts
  std::int64_t zero_rows = 0;              ///< of these, those of zeros
  std::int64_t first_constant_row = -1;    ///< -1: none
  std::int64_t distinct_rows = 0;
  std::int64_t repeating_rows = 0;  ///< equal to a row before them: rows - distinct_rows
  std::int64_t groups = 0;          ///< of equal rows; single rows are none
  std::int64_t largest_group = 0;   ///< rows in the largest group; 0: no groups

  bool operator==(const EmbeddingCounts&) const = default;
};

[[nodiscard]] EmbeddingCounts examine(const Embeddings& embeddings);

/// One sentence for each thing that examine() found, for the log; that of rows that repeat ends in
/// `of_repeats`.
[[nodiscard]] std::vector<std::string> describe(
    const EmbeddingCounts& counts, const std::string& of_repeats = "no codebook separates their items");

/// For each row the first one that equals it (itself, where none before does). 0 and -0 are equal, and so is
/// NaN to NaN of the same bits.
[[nodiscard]] std::vector<std::int64_t> first_equal_rows(const Embeddings& embeddings);

/// Throws DataError, "`where`: ...", with the counts and the first row, unless all numbers are finite.
void require_finite(const Embeddings& embeddings, const std::string& where);

}  // namespace genrec
