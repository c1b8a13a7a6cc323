#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace genrec {

/// LETTER's additions to the RQ-VAE (Wang et al. 2024, section 3.2). With both weights 0 it is TIGER's.
struct LetterOptions {
  double alpha = 0.02;      ///< weight of the collaborative loss; needs collaborative vectors of width `dim`
  double beta = 1e-4;       ///< weight of the diversity loss
  int clusters = 10;        ///< that the codes of a level are cut into, for the diversity loss
  int recluster_every = 1;  ///< epochs between two such clusterings
  bool operator==(const LetterOptions&) const = default;
};

/// The RQ-VAE of TIGER (Rajput et al. 2023, section 3.1) and LETTER, its training, and what becomes of items
/// with equal codes.
struct RqvaeOptions {
  // The network.
  std::int64_t levels = 4;   ///< codes of an identifier
  std::int64_t codes = 256;  ///< of a codebook
  std::int64_t dim = 32;     ///< of a code
  std::vector<int> hidden = {512, 256, 128,
                             64};  ///< widths of the encoder's hidden layers; mirrored in the decoder
  double dropout = 0;              ///< of the inputs of linear layers

  // The loss.
  double commitment = 0.25;        ///< mu
  double quantization_weight = 1;  ///< lambda_q
  std::string gradient = "code";   ///< code: straight-through at every level; paper: residuals subtract codes
  /// Of the last level, in training and in re-assignment; at least 0.0029, or 0: argmin in training, and
  /// kReassignEpsilon in re-assignment.
  double sinkhorn_epsilon = 0.003;
  int sinkhorn_iterations = 50;
  LetterOptions letter;  ///< weights 0 for TIGER

  // Codebooks at the start: "kmeans" of the first batch (LC-Rec, TIGER), "constrained-kmeans" of the
  // catalogue (LETTER), "uniform" numbers in (-1 / codes, 1 / codes).
  std::string init = "kmeans";
  int kmeans_iterations = 100;
  std::int64_t restart_every = 2;  ///< epochs between restarts of unused codes (unused_codes.h); 0: none

  // The training.
  std::int64_t epochs = 100;
  std::int64_t batch = 1024;  ///< items, of all ranks together
  double lr = 1e-3;
  double weight_decay = 1e-4;         ///< on all parameters
  std::string schedule = "constant";  ///< optim/schedule.h
  double warmup = 0;                  ///< below 1: fraction of the steps, else steps
  double clip = 0;                    ///< largest gradient norm; 0: none
  std::int64_t eval_every = 10;  ///< epochs between measurements of collisions and usage; 0: only at the end
  /// Takes the weights of fewest collisions, then of lowest loss, among the epochs that eval_every divides
  /// (as LC-Rec and LETTER do); those of the end where there is no such epoch. false: those of the end. Early
  /// codebooks may have fewest collisions and idle codes.
  bool keep_best = false;
  std::uint64_t seed = 42;

  // The identifiers.
  std::string collision = "sinkhorn";  ///< sinkhorn|digit|none
  int reassign_rounds = 20;            ///< at most, of sinkhorn
  double warn_used_share = 0.5;        ///< warns of a level that uses fewer of its codes
};

/// Sinkhorn's epsilon at generation where training had none (LC-Rec, LETTER).
inline constexpr double kReassignEpsilon = 0.003;

/// The losses and the start of method "tiger" or "letter" on top of `options`: TIGER has no letter weights
/// and starts from the first batch, LETTER starts from the catalogue.
[[nodiscard]] RqvaeOptions options_of_method(const std::string& method, RqvaeOptions options);

/// What one table needs: throws UsageError naming the option, or DataError for too few items or collaborative
/// vectors that do not fit. `cf_rows`, `cf_width`: 0 where there are no such vectors.
void check_options(const RqvaeOptions& options, std::int64_t items, std::int64_t cf_rows,
                   std::int64_t cf_width);

}  // namespace genrec
