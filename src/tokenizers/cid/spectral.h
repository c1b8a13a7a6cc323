#pragma once
#include <cstdint>
#include <vector>

#include "tokenizers/cid/cooccurrence.h"

namespace genrec {

/// Connected component of every node, numbered by their first nodes; isolated nodes have one each.
[[nodiscard]] std::vector<std::int32_t> components(const ItemGraph& graph);

/// About half a minute.
inline constexpr double kEdgeVisits = 1e10;

/// Normalised spectral clustering into at most `clusters` parts, labels by pivoted QR (Damle, Minden, Ying
/// 2019). Labels are 0 .. parts-1, each in use, in the order of the pivots. Where mathematics leaves a
/// choice:
/// - isolated nodes go to the smallest parts, one by one;
/// - a graph of `clusters` components or more is not cut inside a component: components are dealt to parts,
///   largest first, each to the part that has fewest nodes;
/// - at most `clusters` connected nodes get a part each.
/// A graph without edges gives a single part. The solver's restarts visit at most about `visits` edges, each
/// from both ends; what it then has of the eigenvectors must do.
[[nodiscard]] std::vector<std::int32_t> spectral_clusters(const ItemGraph& graph, std::int32_t clusters,
                                                          double visits = kEdgeVisits);

}  // namespace genrec
