#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "io/hdf5.h"
#include "io/host_array.h"
#include "nn/parameter_store.h"

namespace genrec {

/// Float32 arrays by parameter name.
using ParameterArrays = std::map<std::string, HostArray>;

/// Means over the items of an epoch, before they are weighted.
struct RqvaeLosses {
  double reconstruction = 0;
  double quantization = 0;
  double collaborative = 0;
  double diversity = 0;
  double total = 0;  ///< weighted sum
};

/// How good measured weights are: fewer collisions first, then the lower loss.
struct RqvaeScore {
  std::int64_t epoch = -1;  ///< after how many; -1: nothing was measured
  double collision_rate = 1;
  double loss = 0;
  [[nodiscard]] bool is_better_than(const RqvaeScore& other) const {
    if (other.epoch < 0 || collision_rate != other.collision_rate) {
      return other.epoch < 0 || collision_rate < other.collision_rate;
    }
    return loss < other.loss;
  }
};

/// All that training needs to go on, or that new items need to get identifiers. Random streams are functions
/// of the seed and the epoch.
struct RqvaeState {
  std::int64_t epoch = 0;           ///< that are done
  std::int64_t steps = 0;           ///< of the optimiser
  std::int64_t steps_of_epoch = 0;  ///< of the epoch in work that are done
  RqvaeLosses sums;                 ///< over the items of these steps
  ParameterArrays values, exp_avg, exp_avg_sq;
  ParameterArrays best;     ///< the best measured weights; empty before the first measurement
  HostArray code_clusters;  ///< [levels, codes] int64: labels that the diversity loss uses; empty without
  RqvaeScore best_score;
  RqvaeLosses losses;  ///< of the last epoch
  /// sha256 of the embeddings' bytes that it was trained on; "" where they have none.
  std::string embeddings_sha256;
  std::string cf_sha256;  ///< likewise of the collaborative vectors; "" without
};

/// Throws DataError unless the state was trained on these vectors.
void require_same_vectors(const RqvaeState& state, const std::string& embeddings_sha256,
                          const std::string& cf_sha256);

/// A flat float32 buffer laid out like the store's values, as one array a parameter.
[[nodiscard]] ParameterArrays arrays_of(const at::Tensor& flat, const ParameterStore& store);
/// The reverse, bit for bit. Throws DataError naming the parameter that is absent or of another shape (a
/// tokenizer of other widths), and `what` it belongs to.
void fill_from_arrays(const ParameterArrays& arrays, const ParameterStore& store, const std::string& what,
                      at::Tensor flat);

/// The codebooks that identifiers are made with, [levels, codes, dim] float32.
[[nodiscard]] const HostArray& codebooks_of(const RqvaeState& state);

/// In HDF5, a dataset [codes, dim] a level: GROUP/0, GROUP/1, ...
void write_codebooks(Hdf5Writer& file, const std::string& group, const HostArray& codebooks);
/// All in one; an array without a shape where the group has none. Throws DataError when they differ in shape.
[[nodiscard]] HostArray read_codebooks(const Hdf5Reader& file, const std::string& group);

// In HDF5: GROUP/codebooks/0 ... [codes, dim] and GROUP/model/NAME hold the weights that identifiers are made
// with (the best, else the last); with `training`, GROUP/training/{values,exp_avg,exp_avg_sq}/NAME and
// GROUP/training/code_clusters are the rest of the state, and attributes of GROUP the counters and losses.

void write_rqvae(Hdf5Writer& file, const std::string& group, const RqvaeState& state, bool training);
/// Throws DataError when the group holds no RQ-VAE. Without a training state, values are the weights that
/// identifiers are made with, and moments are empty.
[[nodiscard]] RqvaeState read_rqvae(const Hdf5Reader& file, const std::string& group);

}  // namespace genrec
