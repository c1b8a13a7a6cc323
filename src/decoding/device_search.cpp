#include "decoding/device_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/error.h"

namespace genrec {
namespace {

constexpr float kDead = -std::numeric_limits<float>::infinity();

/// Best `count` of the last dimension, ties to the lower position, as (values, positions).
std::pair<at::Tensor, at::Tensor> best(const at::Tensor& scores, std::int64_t count) {
  auto [values, positions] = at::sort(scores, /*stable=*/true, /*dim=*/-1, /*descending=*/true);
  return {values.narrow(-1, 0, count), positions.narrow(-1, 0, count)};
}

at::Tensor on_host(const std::vector<at::Tensor>& steps) {
  return at::stack(steps).to(at::kCPU);
}

/// Beams of all sequences; every tensor is [sequences, beams] (live rows may be fewer than beams) on the
/// device.
class Search {
 public:
  Search(const DeviceAutomaton& automaton, std::int64_t sequences, const BeamOptions& options)
      : automaton_(automaton),
        sequences_(sequences),
        beams_(options.beams),
        penalty_(options.score == ScoreRule::kSum ? 0 : options.length_penalty),
        integers_(automaton.begin.options()),
        floats_(integers_.dtype(at::kFloat)),
        token_(at::full({sequences, 1}, kPadToken, integers_)),
        parent_(at::arange(sequences, integers_).unsqueeze(1)),
        node_(at::zeros({sequences, 1}, integers_)),
        sum_(at::zeros({sequences, 1}, floats_)),
        kept_score_(at::full({sequences, beams_}, kDead, floats_)),
        kept_sum_(kept_score_),
        kept_step_(at::zeros({sequences, beams_}, integers_)),
        kept_row_(kept_step_),
        faulty_(at::zeros({}, integers_.dtype(at::kBool))) {}

  [[nodiscard]] at::Tensor tokens() const { return token_.flatten(); }
  /// Rows of the step before, counted over all sequences.
  [[nodiscard]] at::Tensor parents() const { return parent_.flatten(); }

  /// logits [rows of all sequences, vocabulary].
  void advance(const at::Tensor& logits, std::int64_t step) {
    const std::int64_t rows = token_.size(1), width = automaton_.widest[static_cast<std::size_t>(step)];
    // Candidates [sequences, rows, width]: the edges of each row's node, and nothing beyond.
    const at::Tensor edge =
        automaton_.begin.index_select(0, node_.flatten()).unsqueeze(1) + at::arange(width, integers_);
    const at::Tensor last = automaton_.begin.index_select(0, node_.flatten() + 1).unsqueeze(1);
    const at::Tensor exists = edge.lt(last);
    const at::Tensor place = edge.clamp_max(automaton_.token.size(0) - 1).flatten();
    const at::Tensor token = automaton_.token.index_select(0, place).view({-1, width});
    const at::Tensor target = automaton_.target.index_select(0, place).view({-1, width});
    const at::Tensor log_p = logits.gather(1, token) - at::logsumexp(logits, 1, true);
    const at::Tensor sum = at::where(exists, sum_.reshape({-1, 1}) + log_p, kDead);
    faulty_.logical_or_(sum.isnan().any());

    const at::Tensor ends = target.eq(TokenAutomaton::kFinal);
    keep(at::where(ends, sum, kDead).amax(1).view({sequences_, rows}), step);
    const at::Tensor live = at::where(ends, kDead, sum).view({sequences_, rows * width});
    const auto [score, position] = best(live, std::min(beams_, rows * width));
    token_ = token.view({sequences_, -1}).gather(1, position);
    // A dead beam goes on at the root; its score keeps it dead.
    node_ = target.view({sequences_, -1}).gather(1, position).masked_fill(score.eq(kDead), 0);
    const at::Tensor row = position.floor_divide(width);
    parent_ = row + (at::arange(sequences_, integers_) * rows).unsqueeze(1);
    sum_ = score;
    tokens_.push_back(padded(token_));
    rows_.push_back(padded(row));
  }

  /// The only copies to the host.
  [[nodiscard]] std::vector<std::vector<Hypothesis>> results() const {
    if (faulty_.item<bool>())
      throw Error(ExitCode::kInternal, "beam search: a score of the model is not a number");
    const at::Tensor scores = kept_score_.to(at::kCPU), sums = kept_sum_.to(at::kCPU);
    const at::Tensor steps = kept_step_.to(at::kCPU), rows = kept_row_.to(at::kCPU);
    const at::Tensor tokens = on_host(tokens_), parents = on_host(rows_), nodes = on_host(nodes_);
    const auto score = scores.accessor<float, 2>(), sum = sums.accessor<float, 2>();
    const auto step = steps.accessor<std::int64_t, 2>(), row = rows.accessor<std::int64_t, 2>();
    const auto token = tokens.accessor<std::int64_t, 3>(), parent = parents.accessor<std::int64_t, 3>();
    const auto node = nodes.accessor<std::int64_t, 3>();
    std::vector<std::vector<Hypothesis>> found(static_cast<std::size_t>(sequences_));
    for (std::int64_t s = 0; s < sequences_; ++s) {
      for (std::int64_t k = 0; k < beams_ && score[s][k] > kDead; ++k) {
        Hypothesis hypothesis;
        hypothesis.score = score[s][k];
        hypothesis.log_probability = sum[s][k];
        std::int64_t r = row[s][k];
        hypothesis.node = static_cast<std::int32_t>(node[step[s][k]][s][r]);
        hypothesis.tokens.resize(static_cast<std::size_t>(step[s][k]));
        for (std::int64_t t = step[s][k]; t-- > 0; r = parent[t][s][r]) {
          hypothesis.tokens[static_cast<std::size_t>(t)] = static_cast<TokenId>(token[t][s][r]);
        }
        found[static_cast<std::size_t>(s)].push_back(std::move(hypothesis));
      }
    }
    return found;
  }

 private:
  /// Rows up to the number of beams, for one stack of all steps.
  [[nodiscard]] at::Tensor padded(const at::Tensor& rows) const {
    return at::constant_pad_nd(rows, {0, beams_ - rows.size(1)});
  }

  /// Offers what each row is worth when it ends now, [sequences, rows]; the kept come first in ties.
  void keep(const at::Tensor& sums, std::int64_t step) {
    nodes_.push_back(padded(node_));
    const at::Tensor scores = sums.div(std::pow(static_cast<double>(step + 1), penalty_));
    const auto [score, place] = best(at::cat({kept_score_, scores}, 1), beams_);
    const at::Tensor row = at::arange(sums.size(1), integers_).expand_as(sums);
    kept_sum_ = at::cat({kept_sum_, sums}, 1).gather(1, place);
    kept_step_ = at::cat({kept_step_, at::full_like(row, step)}, 1).gather(1, place);
    kept_row_ = at::cat({kept_row_, row}, 1).gather(1, place);
    kept_score_ = score;
  }

  const DeviceAutomaton& automaton_;
  std::int64_t sequences_, beams_;
  double penalty_;
  at::TensorOptions integers_, floats_;
  at::Tensor token_, parent_, node_, sum_;                            ///< live rows
  at::Tensor kept_score_, kept_sum_, kept_step_, kept_row_, faulty_;  ///< finished, best first
  std::vector<at::Tensor> tokens_, rows_, nodes_;                     ///< of every step
};

}  // namespace

std::vector<std::vector<Hypothesis>> generate_on_device(const T5Model& model, const PackedSequences& sources,
                                                        const DeviceAutomaton& automaton,
                                                        const BeamOptions& options) {
  if (options.beams < 1) throw Error(ExitCode::kInternal, "beam search: at least one beam is needed");
  if (options.stopping != Stopping::kExact)
    throw Error(ExitCode::kInternal, "beam search: on a device only the exact stopping rule is known");
  if (sources.sequences() == 0) return {};
  Search search(automaton, sources.sequences(), options);
  const auto steps = static_cast<std::int64_t>(automaton.widest.size());
  const auto state = model.start_dense_decoding(sources, steps);
  for (std::int64_t step = 0; step < steps; ++step) {
    search.advance(model.dense_step(*state, search.tokens(), search.parents()), step);
  }
  return search.results();
}

}  // namespace genrec
