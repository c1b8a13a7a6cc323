#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "data/embeddings.h"
#include "eval/code_overlap.h"
#include "eval/codebook_projection.h"
#include "eval/first_level.h"
#include "io/host_array.h"
#include "io/json_file.h"
#include "tokenizers/identifier_table.h"
#include "tokenizers/statistics.h"

namespace genrec {

/// What an identifier table is set beside, each where there is any; vectors have a row an item.
struct DiagnosticInputs {
  std::optional<Embeddings> cf;    ///< collaborative vectors
  std::optional<Embeddings> text;  ///< of the items' texts
  std::vector<std::string> texts;  ///< the texts themselves; empty: none
  HostArray codebooks;             ///< [levels, codes, dim]; without a shape: none
  std::int64_t codes = 256;        ///< of the first level, where no codebooks are given
};

/// The papers' figures of an identifier table.
struct TableDiagnostics {
  IdentifierStatistics identifiers;
  double overlap_of_any = 0;                     ///< mean_overlap()
  std::optional<NeighbourOverlap> neighbours;    ///< LETTER, Table 4
  std::optional<double> similarity;              ///< SIIT, Table 4: with the cosines of text embeddings
  std::optional<double> tfidf_similarity;        ///< the same with those of the texts' TF-IDF
  FirstLevel first_level;                        ///< LETTER, Fig. 6
  std::optional<CodebookProjection> projection;  ///< LETTER, Fig. 7: the codebook of the first level
  std::int64_t codebook_dim = 0;
};

/// Items^2 operations for the neighbours, else no more than items * width * length. Throws DataError when an
/// input does not fit the table.
[[nodiscard]] TableDiagnostics diagnose(const IdentifierTable& table, const DiagnosticInputs& inputs,
                                        Progress* progress = nullptr);

/// All figures; those that lack their input are null.
[[nodiscard]] Json to_json(const TableDiagnostics& diagnostics, const IdentifierTable& table);
/// For the terminal, a line a figure.
[[nodiscard]] std::string to_text(const TableDiagnostics& diagnostics, const IdentifierTable& table);

/// Use of each position of the identifiers, for JSON.
[[nodiscard]] Json positions_json(const IdentifierStatistics& statistics);

}  // namespace genrec
