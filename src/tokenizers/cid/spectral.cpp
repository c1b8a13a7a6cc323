// Results must not depend on how many threads Eigen would like to use.
#define EIGEN_DONT_PARALLELIZE
#include "tokenizers/cid/spectral.h"

#include <ATen/Parallel.h>
#include <Spectra/SymEigsSolver.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/random.h"

namespace genrec {
namespace {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

constexpr Eigen::Index kDense = 300;  ///< nodes up to which a dense solver is quicker and surer
constexpr double kRestarts = 300;     ///< of one solver, at most
constexpr double kFewRestarts = 10;   ///< not worth a narrow space
constexpr std::int64_t kRowsOfThread = 2048;

/// The normalised adjacency D^-1/2 W D^-1/2 of a graph without isolated nodes. Each component has one
/// eigenvector of eigenvalue 1, sqrt(degree) on its nodes; these are known and moved to -1, because Lanczos
/// finds but one vector of a multiple eigenvalue.
class DeflatedAdjacency {
 public:
  using Scalar = double;  // NOLINT: the name that Spectra asks for

  DeflatedAdjacency(const ItemGraph& graph, const std::vector<std::int32_t>& component, std::int32_t count)
      : graph_(graph), component_(component), count_(count), root_degree_(graph.size()) {
    Vector volume = Vector::Zero(count);
    for (Eigen::Index i = 0; i < rows(); ++i) {
      double degree = 0;
      for (std::int64_t e = begin(i); e < begin(i + 1); ++e)
        degree += graph_.weights[static_cast<std::size_t>(e)];
      root_degree_[i] = std::sqrt(degree);
      volume[part(i)] += degree;
    }
    known_.resize(rows());
    for (Eigen::Index i = 0; i < rows(); ++i) known_[i] = root_degree_[i] / std::sqrt(volume[part(i)]);
  }

  [[nodiscard]] Eigen::Index rows() const { return graph_.size(); }
  [[nodiscard]] Eigen::Index cols() const { return graph_.size(); }
  /// Each counted from both ends.
  [[nodiscard]] std::int64_t edges() const { return graph_.offsets.back(); }
  void perform_op(const double* x, double* y) const {
    Vector along = Vector::Zero(count_);
    scaled_ = Eigen::Map<const Vector>(x, rows()).cwiseQuotient(root_degree_);
    for (Eigen::Index i = 0; i < rows(); ++i) along[part(i)] += known_[i] * x[i];
    // A row is one thread's, so the sums do not depend on their number.
    at::parallel_for(0, rows(), kRowsOfThread, [&](std::int64_t first, std::int64_t last) {
      for (Eigen::Index i = first; i < last; ++i) {
        double sum = 0;
        for (std::int64_t e = begin(i); e < begin(i + 1); ++e) {
          const auto edge = static_cast<std::size_t>(e);
          sum += graph_.weights[edge] * scaled_[graph_.neighbours[edge]];
        }
        y[i] = sum / root_degree_[i] - 2 * known_[i] * along[part(i)];
      }
    });
  }
  [[nodiscard]] Matrix dense() const {
    Matrix result(rows(), rows());
    for (Eigen::Index i = 0; i < rows(); ++i) {
      const Vector unit = Vector::Unit(rows(), i);
      perform_op(unit.data(), result.col(i).data());
    }
    return result;
  }
  /// The known eigenvectors [nodes, components].
  [[nodiscard]] Matrix known() const {
    Matrix vectors = Matrix::Zero(rows(), count_);
    for (Eigen::Index i = 0; i < rows(); ++i) vectors(i, part(i)) = known_[i];
    return vectors;
  }
  [[nodiscard]] const Vector& root_degree() const { return root_degree_; }

 private:
  [[nodiscard]] std::int64_t begin(Eigen::Index i) const {
    return graph_.offsets[static_cast<std::size_t>(i)];
  }
  [[nodiscard]] Eigen::Index part(Eigen::Index i) const { return component_[static_cast<std::size_t>(i)]; }

  const ItemGraph& graph_;
  const std::vector<std::int32_t>& component_;
  std::int32_t count_;
  Vector root_degree_, known_;
  mutable Vector scaled_;
};

/// Lanczos, which can say what it has before it converges.
class Lanczos : public Spectra::SymEigsSolver<DeflatedAdjacency> {
 public:
  using Spectra::SymEigsSolver<DeflatedAdjacency>::SymEigsSolver;
  /// The best approximations that its space holds.
  [[nodiscard]] Eigen::MatrixXd ritz_vectors() const {
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> ritz(m_fac.matrix_H());
    return m_fac.matrix_V() * ritz.eigenvectors().rightCols(m_nev);
  }
};

/// The eigenvectors of the `wanted` largest eigenvalues; approximations where `visits` of edges do not
/// suffice: clusters need directions, not digits.
Matrix leading_vectors(DeflatedAdjacency& adjacency, Eigen::Index wanted, double visits) {
  const Eigen::Index n = adjacency.rows();
  if (n <= std::max(kDense, 3 * wanted)) {
    return Eigen::SelfAdjointEigenSolver<Matrix>(adjacency.dense()).eigenvectors().rightCols(wanted);
  }
  // A start with a part in every direction, the same everywhere.
  Vector start(n);
  RandomStream stream(0, Purpose::kClustering);
  for (Eigen::Index i = 0; i < n; ++i) start[i] = 0.5 + stream.uniform();
  Matrix found;
  for (const bool wide : {false, true}) {
    const Eigen::Index space = std::min(n, std::max<Eigen::Index>((wide ? 8 : 3) * wanted, 20));
    // Each restart needs this many products, and each product visits all edges.
    const double products = static_cast<double>(space - wanted);
    const double affordable = visits / static_cast<double>(adjacency.edges()) / products;
    if (!wide && affordable < kFewRestarts) continue;
    Lanczos solver(adjacency, wanted, space);
    solver.init(start.data());
    const auto restarts = static_cast<Eigen::Index>(std::clamp(affordable, 1.0, kRestarts));
    const Eigen::Index converged =
        solver.compute(Spectra::SortRule::LargestAlge, restarts, wide ? 1e-6 : 1e-8);
    if (converged == wanted) return solver.eigenvectors(wanted);
    found = solver.ritz_vectors();
  }
  return found;
}

/// Labels of the rows of an embedding [nodes, parts]: the best spread rows, by pivoted QR, stand for the
/// parts; the nearest rotation (polar factor) turns each onto an axis, and a node belongs to its largest
/// coordinate. The labels do not change when the embedding is rotated, so signs and mixed eigenvectors do not
/// matter.
std::vector<std::int32_t> qr_labels(const Matrix& embedding) {
  const Eigen::Index parts = embedding.cols();
  const Eigen::ColPivHouseholderQR<Matrix> qr(embedding.transpose());
  Matrix pivots(parts, parts);
  for (Eigen::Index p = 0; p < parts; ++p) {
    pivots.col(p) = embedding.row(qr.colsPermutation().indices()[p]).transpose();
  }
  const Eigen::JacobiSVD<Matrix> svd(pivots, Eigen::ComputeFullU | Eigen::ComputeFullV);
  const Matrix turned = (embedding * (svd.matrixU() * svd.matrixV().transpose())).cwiseAbs();
  std::vector<std::int32_t> labels(static_cast<std::size_t>(embedding.rows()));
  for (Eigen::Index i = 0; i < turned.rows(); ++i) {
    Eigen::Index best = 0;
    turned.row(i).maxCoeff(&best);
    labels[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(best);
  }
  return labels;
}

/// Deals whole components to parts, largest first, each to the part with the fewest nodes.
std::vector<std::int32_t> dealt(const std::vector<std::int32_t>& component, std::int32_t count,
                                std::int32_t parts) {
  std::vector<std::int64_t> nodes(static_cast<std::size_t>(count), 0),
      load(static_cast<std::size_t>(parts), 0);
  for (const std::int32_t c : component) ++nodes[static_cast<std::size_t>(c)];
  std::vector<std::size_t> order(nodes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&nodes](std::size_t a, std::size_t b) { return nodes[a] > nodes[b]; });
  std::vector<std::int32_t> part_of(nodes.size());
  for (const std::size_t c : order) {
    const auto lightest = std::min_element(load.begin(), load.end());
    *lightest += nodes[c];
    part_of[c] = static_cast<std::int32_t>(lightest - load.begin());
  }
  std::vector<std::int32_t> labels;
  for (const std::int32_t c : component) labels.push_back(part_of[static_cast<std::size_t>(c)]);
  return labels;
}

/// Clusters a graph in which every node has an edge.
std::vector<std::int32_t> connected_clusters(const ItemGraph& graph, std::int32_t clusters, double visits) {
  std::vector<std::int32_t> labels(static_cast<std::size_t>(graph.size()));
  if (graph.size() <= clusters) {
    std::iota(labels.begin(), labels.end(), 0);
    return labels;
  }
  const std::vector<std::int32_t> component = components(graph);
  const std::int32_t count = 1 + *std::max_element(component.begin(), component.end());
  if (count >= clusters) return dealt(component, count, clusters);
  DeflatedAdjacency adjacency(graph, component, count);
  const Matrix more = leading_vectors(adjacency, clusters - count, visits);
  Matrix embedding(graph.size(), count + more.cols());
  embedding << adjacency.known(), more;
  embedding.array().colwise() /= adjacency.root_degree().array();
  return qr_labels(embedding);
}

/// Renumbers labels so that each is in use.
void close_gaps(std::vector<std::int32_t>& labels, std::int32_t parts) {
  std::vector<std::int32_t> number(static_cast<std::size_t>(parts), 0);
  for (const std::int32_t label : labels) {
    if (label >= 0) number[static_cast<std::size_t>(label)] = 1;
  }
  std::exclusive_scan(number.begin(), number.end(), number.begin(), 0);
  for (std::int32_t& label : labels) {
    if (label >= 0) label = number[static_cast<std::size_t>(label)];
  }
}

}  // namespace

std::vector<std::int32_t> components(const ItemGraph& graph) {
  std::vector<std::int32_t> component(static_cast<std::size_t>(graph.size()), -1);
  std::vector<std::int32_t> open;
  std::int32_t count = 0;
  for (std::int32_t first = 0; first < graph.size(); ++first) {
    if (component[static_cast<std::size_t>(first)] >= 0) continue;
    component[static_cast<std::size_t>(first)] = count;
    open.push_back(first);
    while (!open.empty()) {
      const auto node = static_cast<std::size_t>(open.back());
      open.pop_back();
      for (auto e = static_cast<std::size_t>(graph.offsets[node]);
           e < static_cast<std::size_t>(graph.offsets[node + 1]); ++e) {
        std::int32_t& mark = component[static_cast<std::size_t>(graph.neighbours[e])];
        if (mark >= 0) continue;
        mark = count;
        open.push_back(graph.neighbours[e]);
      }
    }
    ++count;
  }
  return component;
}

std::vector<std::int32_t> spectral_clusters(const ItemGraph& graph, std::int32_t clusters, double visits) {
  if (clusters < 1) throw Error(ExitCode::kInternal, "spectral_clusters needs at least one cluster");
  std::vector<std::int32_t> connected;
  for (std::int32_t node = 0; node < graph.size(); ++node) {
    if (!graph.is_isolated(node)) connected.push_back(node);
  }
  std::vector<std::int32_t> labels(static_cast<std::size_t>(graph.size()), connected.empty() ? 0 : -1);
  if (connected.empty()) return labels;
  const auto inner = connected_clusters(induced(graph, connected), clusters, visits);
  for (std::size_t i = 0; i < connected.size(); ++i)
    labels[static_cast<std::size_t>(connected[i])] = inner[i];
  close_gaps(labels, clusters);

  std::vector<std::int64_t> load(
      static_cast<std::size_t>(1 + *std::max_element(labels.begin(), labels.end())), 0);
  for (const std::int32_t label : labels) {
    if (label >= 0) ++load[static_cast<std::size_t>(label)];
  }
  for (std::int32_t& label : labels) {
    if (label >= 0) continue;
    const auto smallest = std::min_element(load.begin(), load.end());
    ++*smallest;
    label = static_cast<std::int32_t>(smallest - load.begin());
  }
  return labels;
}

}  // namespace genrec
