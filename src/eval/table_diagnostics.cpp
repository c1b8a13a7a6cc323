#include "eval/table_diagnostics.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <span>
#include <sstream>

#include "base/error.h"
#include "tokenizers/identifier_similarity.h"
#include "tokenizers/text_features.h"

namespace genrec {
namespace {

double perplexity(const PositionUse& use) {
  return std::exp2(use.entropy_bits);
}

/// Codes of the first level, as the codebooks or the caller have them.
std::int64_t codes_of(const DiagnosticInputs& inputs) {
  if (inputs.codebooks.shape.empty()) return std::max<std::int64_t>(0, inputs.codes);
  return inputs.codebooks.shape[1];
}

CodebookProjection first_codebook(const HostArray& codebooks) {
  const std::int64_t codes = codebooks.shape[1], dim = codebooks.shape[2];
  return project_codebook(codebooks.as<float>().first(static_cast<std::size_t>(codes * dim)), dim);
}

Json json_of(const CodeOverlap& overlap) {
  return {{"matches", overlap.matches}, {"share", overlap.share}};
}

Json json_of(const NeighbourOverlap& overlap) {
  return {{"items", overlap.items},
          {"inner_product", json_of(overlap.by_product)},
          {"cosine", json_of(overlap.by_cosine)}};
}

Json json_of(const FirstLevel& level) {
  Json json = {{"codes", level.items.size()}, {"used", level.used()}, {"sorted_items", level.sorted()}};
  json["items_by_code"] = level.is_codebook ? Json(level.items) : Json();
  return json;
}

Json json_of(const CodebookProjection& projection, const FirstLevel& level) {
  Json points = Json::array();
  for (std::size_t code = 0; code < projection.points.size(); ++code) {
    const auto& point = projection.points[code];
    const bool is_counted = level.is_codebook && code < level.items.size();
    points.push_back({{"code", code},
                      {"items", is_counted ? Json(level.items[code]) : Json()},
                      {"x", point[0]},
                      {"y", point[1]},
                      {"z", point[2]}});
  }
  return {{"level", 1}, {"variance_share", projection.variance_share}, {"points", points}};
}

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

void print_identifiers(const IdentifierStatistics& s, const IdentifierTable& table, std::ostream& out) {
  out << "items                " << s.items << "\n"
      << "distinct identifiers " << s.distinct << "\n"
      << "collision rate       " << s.collision_rate << " (" << s.sharing_items
      << " items share one, the largest group has " << s.largest_group << ")\n"
      << "length               " << s.shortest << " to " << s.longest << "; " << s.prefix_items
      << " are a proper prefix of another\n"
      << "symbols              " << table.symbols().size() << "\n"
      << "sha256               " << table.sha256() << "\n";
  for (std::size_t p = 0; p < s.positions.size(); ++p) {
    const PositionUse& use = s.positions[p];
    out << "position " << p + 1 << "           " << use.symbols << " symbols, entropy " << use.entropy_bits
        << " bits, perplexity " << perplexity(use) << ", most common in " << use.most_common << " of "
        << use.items << " items\n";
  }
}

void print_first_level(const FirstLevel& level, std::ostream& out) {
  const std::vector<std::int64_t> sorted = level.sorted();
  if (sorted.empty()) return;
  out << "first level          " << level.used();
  if (level.is_codebook) out << " of " << sorted.size();
  out << (level.is_codebook ? " codes" : " symbols") << " in use, by " << sorted.front()
      << " items at most; by rank:\n                     " << bars(sorted) << "\n";
}

void print_overlap(const NeighbourOverlap& overlap, std::ostream& out) {
  const auto line = [&out](const CodeOverlap& o, const char* by) {
    out << o.matches << " symbols (" << o.share << " of the identifier) by " << by;
  };
  out << "code overlap         with the nearest item ";
  line(overlap.by_product, "inner product");
  out << ", ";
  line(overlap.by_cosine, "cosine");
  out << "; " << overlap.items << " items\n";
}

}  // namespace

TableDiagnostics diagnose(const IdentifierTable& table, const DiagnosticInputs& inputs, Progress* progress) {
  TableDiagnostics d;
  d.identifiers = statistics_of(table);
  d.overlap_of_any = mean_overlap(table);
  d.first_level = first_level(table, codes_of(inputs));
  if (inputs.cf) d.neighbours = neighbour_overlap(table, *inputs.cf, progress);
  if (inputs.text)
    d.similarity = semantic_identifier_similarity(table, inputs.text->values, inputs.text->width);
  if (!inputs.texts.empty()) d.tfidf_similarity = semantic_identifier_similarity(table, tfidf(inputs.texts));
  if (!inputs.codebooks.shape.empty()) {
    d.projection = first_codebook(inputs.codebooks);
    d.codebook_dim = inputs.codebooks.shape[2];
  }
  return d;
}

Json positions_json(const IdentifierStatistics& statistics) {
  Json positions = Json::array();
  for (const PositionUse& use : statistics.positions) {
    positions.push_back({{"items", use.items},
                         {"symbols", use.symbols},
                         {"entropy_bits", use.entropy_bits},
                         {"perplexity", perplexity(use)},
                         {"most_common", use.most_common}});
  }
  return positions;
}

Json to_json(const TableDiagnostics& d, const IdentifierTable& table) {
  const IdentifierStatistics& s = d.identifiers;
  Json json = {{"items", s.items},
               {"distinct", s.distinct},
               {"collision_rate", s.collision_rate},
               {"sharing_items", s.sharing_items},
               {"largest_group", s.largest_group},
               {"shortest", s.shortest},
               {"longest", s.longest},
               {"prefix_items", s.prefix_items},
               {"symbols", table.symbols().size()},
               {"identifiers_sha256", table.sha256()},
               {"positions", positions_json(s)},
               {"first_level", json_of(d.first_level)},
               {"overlap_of_any_two", d.overlap_of_any}};
  json["code_overlap"] = d.neighbours ? json_of(*d.neighbours) : Json();
  json["semantic_identifier_similarity"] = {{"text_embeddings", or_null(d.similarity)},
                                            {"tfidf", or_null(d.tfidf_similarity)}};
  json["codebook"] = d.projection ? json_of(*d.projection, d.first_level) : Json();
  return json;
}

std::string to_text(const TableDiagnostics& d, const IdentifierTable& table) {
  std::ostringstream out;
  print_identifiers(d.identifiers, table, out);
  print_first_level(d.first_level, out);
  out << std::fixed << std::setprecision(4);
  if (d.neighbours) print_overlap(*d.neighbours, out);
  if (d.similarity) out << "similarity           " << *d.similarity << ", by text embeddings\n";
  if (d.tfidf_similarity)
    out << "similarity           " << *d.tfidf_similarity << ", by TF-IDF of the texts\n";
  if (d.neighbours || d.similarity || d.tfidf_similarity) {
    out << "                     (any two items: " << d.overlap_of_any << " symbols)\n";
  }
  if (d.projection) {
    const auto& share = d.projection->variance_share;
    out << "codebook 1           " << d.projection->points.size() << " codes of width " << d.codebook_dim
        << "; three axes hold " << share[0] + share[1] + share[2] << " of their variance\n";
  }
  return out.str();
}

}  // namespace genrec
