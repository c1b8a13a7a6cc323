#pragma once
#include <string>

namespace genrec {

/// What a rank does in a second and what lies between ranks.
struct MachineRates {
  double train_flop_per_s = 0;   ///< of forward and backward passes
  double search_flop_per_s = 0;  ///< of beam searches
  double optimizer_s = 0;        ///< a step's update of all weights, which every rank does
  double latency_s = 0;          ///< of a message
  double bytes_per_s = 0;        ///< of a rank's link; 0: one rank
};

/// What gradients are summed of.
struct GradientSize {
  double bytes = 0;
  double last_bytes = 0;  ///< complete at the end of the backward pass only: the embeddings
  double messages = 1;    ///< that the sum is cut into
};

enum class StageKind { kTraining, kSearch, kAssignment };

/// A part of a job.
struct StageWork {
  std::string name;
  StageKind kind = StageKind::kTraining;
  double units = 0;           ///< samples, users or items, of all ranks
  double flop_per_unit = 0;   ///< (model/t5_cost.h)
  double bytes_per_unit = 0;  ///< that rank 0 gathers
  double batch = 1;           ///< kTraining: samples of a global batch
  double block = 1;           ///< kSearch: units that are dealt together
};

/// Seconds.
struct StageCost {
  double compute_s = 0;
  double communication_s = 0;  ///< that nothing hides
  double alone_s = 0;          ///< on rank 0 while the others wait
  [[nodiscard]] double total() const { return compute_s + communication_s + alone_s; }
};

/// A sum over ranks by recursive halving and doubling (Thakur, Rabenseifner & Gropp 2005): the rounds in
/// which a message goes to and fro, and the bytes that each rank sends.
[[nodiscard]] double all_reduce_rounds(int ranks);
[[nodiscard]] double all_reduce_bytes(double bytes, int ranks);
/// Its seconds when `bytes` travel in so many messages.
[[nodiscard]] double all_reduce_seconds(double bytes, double messages, const MachineRates& rates, int ranks);

/// A stage on `ranks` ranks:
/// - training: every step waits for the rank with most samples; sums run beside the backward pass, two thirds
/// of it,
///   but for those that are complete at its end (where a step has several microbatches, beside the last one
///   alone);
/// - search: whole blocks are dealt to the ranks, and rank 0 gathers bytes_per_unit of each unit;
/// - assignment: on rank 0, one unit after the other.
[[nodiscard]] StageCost cost_of(const StageWork& work, const GradientSize& gradients,
                                const MachineRates& rates, int ranks);

}  // namespace genrec
